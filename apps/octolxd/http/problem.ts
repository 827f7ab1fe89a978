import { STATUS_CODES } from 'node:http';
import { ERROR_TABLE } from '#libs/contracts/error-codes.js';
import { isPlatformError } from '#libs/errors/platform-error.js';

/** An answer other than what was asked for: RFC 9457, with the original's `message` beside. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly title: string;
  readonly code: string;
  readonly detail: string;
  readonly message: string;
  /** Nobody foresaw it: to be logged in full. */
  readonly unexpected: boolean;
}

const DEFAULT_RETRY_MS = 3_000;

/** What is known only to those who run the server is not told. */
export function problemOf(error: unknown): Problem {
  if (!isPlatformError(error)) return { ...plain(500, 'internal error'), unexpected: true };
  const { httpStatus, title } = ERROR_TABLE[error.code];
  const { retryAfterMs = DEFAULT_RETRY_MS, legacyMessage, reason } = error.details;
  const status = reason === 'unknown' && error.code === 'RATE_LIMITED' ? 429 : error.code === 'FORBIDDEN' ? 502 : httpStatus;
  const seconds = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  return {
    status,
    headers: status === 503 || status === 429 ? { 'retry-after': seconds } : {},
    title,
    code: error.code,
    detail: error.message,
    message: typeof legacyMessage === 'string' ? legacyMessage : error.message,
    unexpected: false,
  };
}

export function plain(status: number, detail: string, headers: Readonly<Record<string, string>> = {}): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  return { status, headers, title, code: title.toUpperCase().replaceAll(' ', '_'), detail, message: detail, unexpected: false };
}

export function problemBody({ status, title, code, detail, message }: Problem): string {
  return JSON.stringify({ message, type: `urn:webspaces:problem:${code.toLowerCase().replaceAll('_', '-')}`, title, status, code, detail });
}
