/** The closed set of error codes; docs/architecture.md lists the typical cause of each. */
export const ERROR_CODES = [
  'INVALID_INPUT',
  'NOT_FOUND',
  'CONFLICT',
  'STALE',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'DENIED_UPSTREAM',
  'RATE_LIMITED',
  'UNAVAILABLE',
  'OPERATION_FAILED',
  'PROTOCOL',
  'CANCELLED',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** How each code behaves: whether Temporal retries it, and the HTTP status a caller sees. */
export const ERROR_TABLE: Record<ErrorCode, { readonly retryable: boolean; readonly httpStatus: number; readonly title: string }> = {
  INVALID_INPUT: { retryable: false, httpStatus: 400, title: 'The request is not valid' },
  NOT_FOUND: { retryable: false, httpStatus: 404, title: 'Not found' },
  CONFLICT: { retryable: false, httpStatus: 409, title: 'Conflicts with what exists' },
  STALE: { retryable: true, httpStatus: 409, title: 'Changed by somebody else meanwhile' },
  UNAUTHORIZED: { retryable: false, httpStatus: 401, title: 'Authentication is needed' },
  FORBIDDEN: { retryable: false, httpStatus: 403, title: 'Not allowed' },
  DENIED_UPSTREAM: { retryable: false, httpStatus: 502, title: 'An upstream system refused our credential' },
  RATE_LIMITED: { retryable: true, httpStatus: 503, title: 'Rate limited' },
  UNAVAILABLE: { retryable: true, httpStatus: 503, title: 'Temporarily unavailable' },
  OPERATION_FAILED: { retryable: false, httpStatus: 502, title: 'The operation failed' },
  PROTOCOL: { retryable: false, httpStatus: 502, title: 'An upstream system answered in an unknown form' },
  CANCELLED: { retryable: false, httpStatus: 409, title: 'The operation was cancelled' },
};

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && (ERROR_CODES as readonly string[]).includes(value);
}
