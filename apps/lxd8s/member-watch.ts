import { z } from 'zod';
import { messageOf } from '#libs/errors/platform-error.js';
import { timeLimit } from '#libs/net/time-limit.js';

/** What the process that LXD runs under said last. */
export interface MemberView {
  /** It waits for something outside, such as a volume that can be used: to end it would change nothing. */
  readonly waits: boolean;
  readonly phase: string;
  readonly why: string;
}

export interface MemberWatchOptions {
  readonly url: string;
  readonly timeoutMs: number;
}

const state = z.looseObject({ waits: z.boolean(), phase: z.string(), why: z.string() });

/** Asks the process that LXD runs under. One that does not answer waits for nothing. */
export class MemberWatch {
  readonly #options: MemberWatchOptions;
  #view: MemberView = { waits: false, phase: 'unknown', why: 'not asked yet' };

  constructor(options: MemberWatchOptions) {
    this.#options = options;
  }

  /** Asks once, and no longer than its time-out. Throws nothing. */
  async look(signal: AbortSignal): Promise<void> {
    const { url, timeoutMs } = this.#options;
    try {
      const answer = await fetch(new URL('/state', url), { signal: AbortSignal.any([signal, timeLimit(timeoutMs)]) });
      const { waits, phase, why } = state.parse(await answer.json());
      this.#view = { waits, phase, why };
    } catch (error) {
      if (!signal.aborted) this.#view = { waits: false, phase: 'unknown', why: messageOf(error) };
    }
  }

  view(): MemberView {
    return this.#view;
  }
}
