import { PlatformError } from '#libs/errors/platform-error.js';

type Query = Readonly<Record<string, string | number | undefined>>;

/**
 * `apiPath(['instances', name, 'state'], {recursion: 1})`: each part is encoded. INVALID_INPUT for an empty part or dots, which would name
 * another resource (`/1.0/instances/` is the list).
 */
export function apiPath(parts: readonly string[], query: Query = {}): string {
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') throw new PlatformError('INVALID_INPUT', 'A name in an LXD path is empty or dots.');
  }
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
  return `/${['1.0', ...parts].map(encodeURIComponent).join('/')}${search.size > 0 ? `?${search}` : ''}`;
}
