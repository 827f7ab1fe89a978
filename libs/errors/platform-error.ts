import { ERROR_TABLE, type ErrorCode } from '#libs/contracts/error-codes.js';

export interface ErrorDetails {
  /** The input field at fault, e.g. `image`. */
  readonly field?: string;
  /** When the server says that trying again makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
  readonly [key: string]: unknown;
}

/**
 * The one error of this project. The code decides what happens (retry, HTTP status, Temporal failure); the message is a sentence that
 * says what to do and never holds a secret.
 */
export class PlatformError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PlatformError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return ERROR_TABLE[this.code].retryable && this.details['final'] !== true;
  }

  /** The same error, not to be tried again by an activity. */
  final(): PlatformError {
    return new PlatformError(this.code, this.message, { details: { ...this.details, final: true }, cause: this.cause });
  }
}

export function isPlatformError(error: unknown, code?: ErrorCode): error is PlatformError {
  return error instanceof PlatformError && (code === undefined || error.code === code);
}

/** The readable sentence of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** There is no webspace of that name; `legacyMessage` is what the original's clients know. */
export function noWebspace(name: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no webspace ${name}. Create it first.`, {
    details: { legacyMessage: 'not found', webspace: name },
  });
}
