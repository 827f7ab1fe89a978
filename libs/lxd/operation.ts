import { setTimeout as pause } from 'node:timers/promises';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { CallOptions, LxdOperation } from './client.js';
import type { Connection } from './connection.js';
import { operationError, timeoutError } from './error-reasons.js';
import { apiPath } from './paths.js';
import { type RawOperation, rawOperation } from './schemas.js';

export const DEFAULT_SLICE_SECONDS = 5;
const SLICE_GRACE_MS = 15_000;
const SUCCESS = 200;
const FAILURE = 400;
const CANCELLED = 401;

export function hasEnded(statusCode: number): boolean {
  return statusCode === SUCCESS || statusCode === FAILURE || statusCode === CANCELLED;
}

type WaitOptions = CallOptions & { readonly onSlice?: () => void };

export class Operation implements LxdOperation {
  readonly id: string;
  readonly #connection: Connection;
  readonly #what: string;
  readonly #sliceSeconds: number;

  constructor(connection: Connection, operation: { id: string; what: string; sliceSeconds: number }) {
    this.#connection = connection;
    this.id = operation.id;
    this.#what = operation.what;
    this.#sliceSeconds = operation.sliceSeconds;
  }

  /** `timeoutMs` limits the whole wait (default: none); when it is over the operation goes on in LXD. */
  async wait(options: WaitOptions = {}): Promise<Record<string, unknown>> {
    const endsAt = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeoutMs;
    for (;;) {
      const begun = Date.now();
      const leftMs = endsAt - begun;
      if (leftMs <= 0) throw timeoutError(`wait for "${this.#what}"`, options.timeoutMs ?? 0);
      const seen = await this.#slice(Math.min(this.#sliceSeconds, Math.ceil(leftMs / 1000)), options);
      if (hasEnded(seen.status_code)) return this.#result(seen);
      options.onSlice?.();
      // A server that answers "Running" at once must not be asked in a tight loop.
      if (Date.now() - begun < 100) await pause(200, undefined, options.signal ? { signal: options.signal } : {}).catch(rethrow(options));
    }
  }

  async cancel(options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#connection.change({ method: 'DELETE', path: apiPath(['operations', this.id]), what: `cancel "${this.#what}"` }, options);
      return true;
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND') || isPlatformError(error, 'INVALID_INPUT')) return false;
      throw error;
    }
  }

  /** The wait is 200 even for a failure; finished operations vanish after about 5 s (LXD 5.0.2, tried). */
  async #slice(seconds: number, { signal }: WaitOptions): Promise<RawOperation> {
    const path = apiPath(['operations', this.id, 'wait'], { timeout: seconds });
    const limit: CallOptions = { timeoutMs: seconds * 1000 + SLICE_GRACE_MS, ...(signal ? { signal } : {}) };
    try {
      return (await this.#connection.read({ path, what: `wait for "${this.#what}"` }, rawOperation, limit)).value;
    } catch (error) {
      if (!isPlatformError(error, 'NOT_FOUND')) throw error;
      throw new PlatformError(
        'UNAVAILABLE',
        `LXD no longer knows the operation ${this.id} ("${this.#what}"): it ended a while ago or LXD was restarted, so read what it changed.`,
        { details: { reason: 'lost', lost: true, lxdOperation: this.id }, cause: error },
      );
    }
  }

  #result(seen: RawOperation): Record<string, unknown> {
    if (seen.status_code === SUCCESS) return seen.metadata;
    const details = { lxdOperation: this.id };
    if (seen.status_code === FAILURE) throw operationError(this.#what, seen.err, details);
    throw new PlatformError('OPERATION_FAILED', `LXD was told to cancel: ${this.#what}.`, { details: { reason: 'cancelled', ...details } });
  }
}

function rethrow({ signal }: WaitOptions) {
  return (error: unknown): never => {
    throw signal?.aborted ? signal.reason : error;
  };
}
