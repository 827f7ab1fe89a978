import { MEMORY_AGAIN_SECONDS, memoryKeyOf } from '#libs/domain/memory.js';
import type { Logger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { type Memory, measure } from './measure.js';

export interface TellMemoryOptions {
  readonly member: string;
  readonly minFreeBytes: number;
  readonly lxd: Pick<OwnMember, 'configure'>;
  readonly log: Logger;
  readonly read?: () => Memory;
  readonly now?: () => number;
}

export interface MemoryView extends Memory {
  readonly short: boolean;
}

/** Says in LXD's configuration that this member's memory is short: at the second look in a row that finds it so, again while it is, and takes it back at once. */
export class TellMemory {
  readonly #options: Required<TellMemoryOptions>;
  #view: MemoryView | undefined;
  #looksShort = 0;
  /** What it has said; undefined before the first time, when a former process may have said something. */
  #said: { readonly short: boolean; readonly at: number } | undefined;

  constructor(options: TellMemoryOptions) {
    this.#options = { read: measure, now: Date.now, ...options };
  }

  view(): MemoryView | undefined {
    return this.#view;
  }

  /** @throws what LXD refuses it with; then it is said at the next look. */
  async look(signal: AbortSignal): Promise<void> {
    const { member, minFreeBytes, lxd, log, read, now } = this.#options;
    const memory = read();
    this.#looksShort = memory.freeBytes < minFreeBytes ? this.#looksShort + 1 : 0;
    const short = this.#looksShort > 1;
    this.#view = { ...memory, short };
    const said = this.#said;
    const again = short && said !== undefined && now() - said.at >= MEMORY_AGAIN_SECONDS * 1000;
    if (said?.short === short && !again) return;
    await lxd.configure({ [memoryKeyOf(member)]: short ? new Date(now()).toISOString() : '' }, { signal });
    if (said?.short !== short && (short || said))
      log.warn({ ...memory, short }, short ? 'memory is short' : 'memory is not short any more');
    this.#said = { short, at: now() };
  }
}
