import { request } from 'node:http';
import { messageOf } from '#libs/errors/platform-error.js';
import { timeLimit } from '#libs/net/time-limit.js';
import type { Clock } from './clock.js';

/** `waiting`: LXD answers, and does not serve (yet). `silent`: no answer in time, or no socket. */
export type LxdState = 'serving' | 'waiting' | 'silent';

/** What was seen of LXD last. */
export interface LxdView {
  readonly is: LxdState;
  /** The HTTP status, or why there was none. */
  readonly said: string;
  /** How long it is so. */
  readonly seconds: number;
}

export interface LxdWatchOptions {
  readonly socket: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Asks LXD at its unix socket. `/internal/ready` is answered at once with 200 or 503 also by a member that waits for the others and lets every
 * other request hang (measured with LXD 5.0.2).
 */
export class LxdWatch {
  readonly #options: LxdWatchOptions;
  #is: LxdState = 'silent';
  #said = 'not asked yet';
  #since: number;

  constructor(options: LxdWatchOptions) {
    this.#options = options;
    this.#since = options.clock.steady();
  }

  /** Asks once, and no longer than its time-out. Throws nothing. */
  async look(signal: AbortSignal): Promise<void> {
    try {
      const status = await askReady(this.#options, signal);
      this.#set(status === 200 ? 'serving' : 'waiting', `HTTP ${status}`);
    } catch (error) {
      if (!signal.aborted) this.#set('silent', messageOf(error));
    }
  }

  view(): LxdView {
    return { is: this.#is, said: this.#said, seconds: Math.floor((this.#options.clock.steady() - this.#since) / 1000) };
  }

  #set(is: LxdState, said: string): void {
    if (is !== this.#is) this.#since = this.#options.clock.steady();
    this.#is = is;
    this.#said = said;
  }
}

function askReady({ socket, timeoutMs }: LxdWatchOptions, stopping: AbortSignal): Promise<number> {
  const timeout = timeLimit(timeoutMs);
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: socket, path: '/internal/ready', headers: { host: 'lxd' }, agent: false, signal: AbortSignal.any([timeout, stopping]) },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
        asked.destroy();
      },
    );
    asked.on('error', (error) => reject(timeout.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error));
    asked.end();
  });
}
