import type { ErrorCode } from '#libs/contracts/error-codes.js';
import { type ErrorDetails, isPlatformError, PlatformError } from '#libs/errors/platform-error.js';

/** A URL as it may be told: without its query, which holds the signature of signed ones. */
export function sayUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The error of a request that got no answer. An abort by the caller stays what it is. */
export function transportError(what: string, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  const known = platformErrorIn(error);
  if (known) return known;
  const code = codeOf(error);
  return new PlatformError('UNAVAILABLE', `GitHub gave no answer (${code}) to: ${what}.`, {
    details: { reason: reasonOf(code) },
    cause: error,
  });
}

/** The error of an answer's status, without regard to limits (see limits.ts). `says` is GitHub's own sentence. */
export function statusError(what: string, status: number, says: string, details: ErrorDetails = {}): PlatformError {
  const { code, text } = meaningOf(status);
  const quoted = says === '' ? '' : ` (${says.slice(0, 300).replace(/[.\s]+$/, '')})`;
  return new PlatformError(code, `GitHub could not ${what}: ${text}${quoted}.`, { details: { status, ...details } });
}

export function protocolError(what: string, why: string): PlatformError {
  return new PlatformError('PROTOCOL', `The answer to "${what}" is not GitHub's: ${why}.`, { details: { reason: 'not-github' } });
}

export function forbidden(message: string, reason: string): PlatformError {
  return new PlatformError('FORBIDDEN', message, { details: { reason } });
}

/** Our own error, however deep it was wrapped. */
export function platformErrorIn(error: unknown): PlatformError | undefined {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 8; inner = inner.cause, depth += 1) {
    if (isPlatformError(inner)) return inner;
  }
  return undefined;
}

function meaningOf(status: number): { readonly code: ErrorCode; readonly text: string } {
  if (status === 401 || status === 403) return { code: 'DENIED_UPSTREAM', text: `it refused our credential with ${status}` };
  if (status === 404 || status === 410 || status === 451)
    return { code: 'NOT_FOUND', text: 'there is no such thing, or we may not see it' };
  if (status >= 500 || status === 408) return { code: 'UNAVAILABLE', text: `it answered ${status}` };
  return { code: 'PROTOCOL', text: `it answered ${status}` };
}

function reasonOf(code: string): string {
  return /TIMEOUT|TIMEDOUT/.test(code) ? 'timeout' : 'unreachable';
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined ? (error instanceof Error ? error.name : 'unknown') : codeOf(cause);
}
