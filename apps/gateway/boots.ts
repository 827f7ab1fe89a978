import type { Logger } from 'pino';
import { STARTED_UPDATE, type StartedAnswer } from '#libs/contracts/operations.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { dialUntil, type Target } from '#libs/net/dial.js';
import type { Operations } from '#libs/temporal/operations.js';
import type { WebspaceView } from './directory.js';

const NEVER = new AbortController().signal;
/** A failure that ended so long ago says nothing of the next boot, and its webspace may be gone. */
const FORGET_MS = 600_000;

/** What a visitor came by. */
export type Trigger = 'http' | 'sni' | 'port';

export interface BootsOptions {
  readonly operations: Operations;
  /** What is known of a webspace now. */
  readonly view: (name: string) => WebspaceView | undefined;
  readonly log: Logger;
  /** Longest wait for LXD to have started a container. */
  readonly holdMs: number;
  /** After a failed boot the next one waits this long, twice as long after each further failure up to `backOffMaxMs`. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** Told of every boot that was asked for: outcome `started`, `ran` (it was on already) or an error code. */
  readonly onBoot: (trigger: Trigger, outcome: string, seconds: number) => void;
}

export interface Started extends StartedAnswer {
  /** When LXD had started it, epoch milliseconds: its start-up delay counts from here. */
  readonly at: number;
}

interface Failure {
  readonly error: unknown;
  readonly count: number;
  readonly until: number;
}

/** Boots of webspaces: one call to Temporal for each, however many wait for it. */
export class Boots {
  readonly #options: BootsOptions;
  readonly #running = new Map<string, Promise<Started>>();
  readonly #asked = new Map<string, Promise<boolean>>();
  readonly #failures = new Map<string, Failure>();

  constructor(options: BootsOptions) {
    this.#options = options;
  }

  /** Longest wait of a visitor. */
  get holdMs(): number {
    return this.#options.holdMs;
  }

  view(name: string): WebspaceView | undefined {
    return this.#options.view(name);
  }

  /**
   * Waits until LXD has started the webspace; joins a boot under way, from whoever it comes.
   * @throws PlatformError the boot's own; UNAVAILABLE when it takes longer than a visitor may be held, or Temporal is away. For a moment after
   * a failure every further call gets the same one at once, with `details.retryAfterMs`.
   */
  started(view: WebspaceView, trigger: Trigger, visited: string): Promise<Started> {
    const { name, uid } = view;
    const running = this.#running.get(uid);
    if (running) return running;
    const failure = this.#failures.get(uid);
    if (failure && failure.until > Date.now()) return Promise.reject(again(failure));
    const boot = this.#boot(view, trigger, visited).finally(() => this.#running.delete(uid));
    this.#running.set(uid, boot);
    boot.then(
      () => this.#failures.delete(uid),
      (error: unknown) => {
        const pauseMs = this.#failed(uid, error);
        this.#options.log.warn({ webspace: name, trigger, error: messageOf(error), pauseMs }, 'boot failed');
      },
    );
    return boot;
  }

  /** Whether the port accepts before the deadline (epoch milliseconds): asked once, however many wait for it. */
  accepts(target: Target, deadline: number): Promise<boolean> {
    const key = `${target.address}:${target.port}`;
    const asked = this.#asked.get(key);
    if (asked) return asked;
    const answer = dialUntil(target, deadline, NEVER)
      .then((socket) => {
        socket?.destroy();
        return socket !== undefined;
      })
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, answer);
    return answer;
  }

  #failed(uid: string, error: unknown): number {
    const now = Date.now();
    for (const [other, { until }] of this.#failures) if (until + FORGET_MS < now) this.#failures.delete(other);
    const count = (this.#failures.get(uid)?.count ?? 0) + 1;
    const pause = Math.min(this.#options.backOffMs * 2 ** (count - 1), this.#options.backOffMaxMs);
    this.#failures.set(uid, { error, count, until: now + pause });
    return pause;
  }

  async #boot({ name, owner }: WebspaceView, trigger: Trigger, visited: string): Promise<Started> {
    const { operations, holdMs, onBoot } = this.#options;
    const begun = performance.now();
    const tell = (outcome: string) => onBoot(trigger, outcome, (performance.now() - begun) / 1000);
    try {
      const outcome = await operations.runUntil<StartedAnswer>(
        {
          kind: 'boot',
          name,
          operationId: '',
          input: { name },
          requestedBy: { subject: `gateway/${trigger}`, username: `a visitor of ${visited}` },
          owner,
          summary: `Boot ${name} for a visitor of ${visited} (${trigger})`,
        },
        { update: STARTED_UPDATE, timeoutMs: holdMs, checked: true },
      );
      if (outcome.status === 'running') {
        throw new PlatformError('UNAVAILABLE', `${name} takes long to start.`, {
          details: { reason: 'takes-long', operation: outcome.id, retryAfterMs: 5_000 },
        });
      }
      tell(outcome.result.changed ? 'started' : 'ran');
      return { ...outcome.result, at: Date.now() };
    } catch (error) {
      tell(isPlatformError(error) ? error.code : 'unknown');
      throw error;
    }
  }
}

function again({ error, until }: Failure): unknown {
  if (!isPlatformError(error)) return error;
  return new PlatformError(error.code, error.message, { cause: error, details: { ...error.details, retryAfterMs: until - Date.now() } });
}
