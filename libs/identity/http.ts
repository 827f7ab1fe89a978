import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '../net/time-limit.js';

export interface IdentityHttpOptions {
  readonly timeoutMs: number;
  /** Certificates to trust beside none of the system's; the system's own when absent. */
  readonly caFile?: string | undefined;
  readonly now?: (() => number) | undefined;
}

export interface IdentityAnswer {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly body: unknown;
}

const MAX_BODY_BYTES = 1_048_576;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Reads from an identity service. One that is away is asked again only after a pause, which doubles up to 5 s while it stays away: callers are
 * answered at once meanwhile, and it is not flooded when it comes back.
 */
export class IdentityHttp {
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  #pauseMs = 0;
  #pausedUntil = 0;
  #reason = '';

  constructor({ timeoutMs, caFile, now = Date.now }: IdentityHttpOptions) {
    const ca = caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') };
    this.#agent = new Agent({ connections: 16, connect: { timeout: timeoutMs, ...ca }, maxResponseSize: MAX_BODY_BYTES });
    this.#timeoutMs = timeoutMs;
    this.#now = now;
  }

  /**
   * Any answer below 500 but 429; redirects are not followed.
   * @throws PlatformError UNAVAILABLE when there is none within the time-out, or during the pause after that.
   */
  async get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<IdentityAnswer> {
    const begun = this.#now();
    if (begun < this.#pausedUntil) throw this.#away();
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        headers: { accept: 'application/json', ...headers },
        signal: timeLimit(this.#timeoutMs),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 500 || answer.statusCode === 429) throw new Error(`it answered ${answer.statusCode}`);
      this.#pauseMs = 0;
      return { status: answer.statusCode, body: parseJson(text) };
    } catch (error) {
      this.#failed(begun, messageOf(error));
      throw this.#away(error);
    }
  }

  /** Requests that were under way together count as one failure. */
  #failed(begun: number, reason: string): void {
    this.#reason = reason;
    if (begun < this.#pausedUntil) return;
    this.#pauseMs = Math.min(this.#pauseMs === 0 ? FIRST_PAUSE_MS : this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#pausedUntil = this.#now() + this.#pauseMs;
  }

  #away(cause?: unknown): PlatformError {
    return new PlatformError('UNAVAILABLE', `The identity service cannot be asked: ${this.#reason}. Try again shortly.`, {
      details: { retryAfterMs: Math.max(1000, this.#pausedUntil - this.#now()) },
      cause,
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // judged by its status, or refused by its schema
  }
}
