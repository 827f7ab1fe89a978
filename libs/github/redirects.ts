import type { PlatformError } from '#libs/errors/platform-error.js';
import { forbidden, protocolError } from './errors.js';
import { type HeaderMap, headerOf } from './http.js';

/** How often one question may be sent on. */
export const MAX_HOPS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Where an answer sends to; undefined when it is no redirect. @throws PlatformError PROTOCOL for one that names no place. */
export function redirectOf(
  { status, headers }: { readonly status: number; readonly headers: HeaderMap },
  from: URL,
  what: string,
): URL | undefined {
  if (!REDIRECTS.has(status)) return undefined;
  const location = headerOf(headers, 'location') ?? '';
  if (location === '' || !URL.canParse(location, from.href)) throw protocolError(what, 'a redirect names no place');
  return new URL(location, from);
}

export function tooManyRedirects(what: string): PlatformError {
  return forbidden(`GitHub sent us on more than ${MAX_HOPS} times when asked to ${what}.`, 'redirects');
}
