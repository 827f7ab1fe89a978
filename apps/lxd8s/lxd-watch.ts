import { Agent, request } from 'node:http';
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
  /** One connection is kept: each new one costs a machine two processes, which without KVM is much. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
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
      const status = await askReady(this.#agent, this.#options, signal);
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

/** A connection that was kept may have ended meanwhile; then it is asked once more, by a new one. */
function askReady(agent: Agent, options: LxdWatchOptions, stopping: AbortSignal): Promise<number> {
  const timeout = timeLimit(options.timeoutMs);
  const signal = AbortSignal.any([timeout, stopping]);
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request({ socketPath: options.socket, path: '/internal/ready', headers: { host: 'lxd' }, agent, signal }, (answer) => {
        answer.on('error', reject).on('end', () => resolve(answer.statusCode ?? 0));
        answer.resume();
      });
      asked.on('error', (error) => {
        if (asked.reusedSocket && !signal.aborted) resolve(ask());
        else reject(error);
      });
      asked.end();
    });
  return ask().catch((error: unknown) => {
    throw timeout.aborted ? new Error(`no answer within ${options.timeoutMs} ms`) : error;
  });
}
