import { mkdir } from 'node:fs/promises';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { applyChange, readWorld } from './apply.js';
import { type Change, differenceOf } from './difference.js';
import { type Preseed, readPreseed } from './schema.js';

export interface PreseedView {
  /** ISO 8601: when all was last as the file says. */
  readonly asWantedAt?: string;
  readonly changes: number;
  readonly problems: readonly string[];
  readonly leftovers: readonly string[];
}

export interface KeepPreseedOptions {
  readonly file: string;
  /** Where pools may have their source; that of a pool of the driver `dir` is made when missing. */
  readonly storage: string | undefined;
  readonly lxd: OwnMember;
  readonly log: Logger;
}

/** A change that LXD takes and does not keep is made again only so often. */
const STUBBORN_MS = 600_000;

/** Makes LXD what the file says, whenever it is asked to look. The last file that could be used stays in force. */
export class KeepPreseed {
  readonly #options: KeepPreseedOptions;
  readonly #made = new Map<string, number>();
  #preseed: Preseed | undefined;
  #view: PreseedView = { changes: 0, problems: [], leftovers: [] };

  constructor(options: KeepPreseedOptions) {
    this.#options = options;
  }

  view(): PreseedView {
    return this.#view;
  }

  /** What every member does: reads the file, and makes the folders in which this member's part of the pools is. @throws when the file cannot be used. */
  async ready(): Promise<Preseed> {
    const { file, storage } = this.#options;
    this.#preseed = await readPreseed(file);
    if (storage !== undefined) {
      // One of btrfs is a subvolume: LXD makes it, and only where nothing is.
      const folders = this.#preseed.storage_pools.filter(({ driver }) => driver === 'dir').flatMap(({ config }) => config['source'] ?? []);
      for (const source of folders.filter((path) => path.startsWith(`${storage}/`))) await mkdir(source, { recursive: true, mode: 0o711 });
    }
    return this.#preseed;
  }

  /** What one member does for all. Throws nothing: what does not succeed is a problem of the view, and is tried again at the next look. */
  async apply(members: readonly string[], signal: AbortSignal): Promise<void> {
    const { lxd, log } = this.#options;
    const problems: string[] = [];
    let { changes } = this.#view;
    let leftovers: readonly string[] = this.#view.leftovers;
    try {
      const preseed = this.#preseed ?? (await this.ready());
      const difference = differenceOf(preseed, await readWorld(lxd.connection, preseed, signal));
      problems.push(...difference.problems);
      leftovers = difference.leftovers;
      for (const change of difference.changes) {
        if (this.#isStubborn(change)) {
          problems.push(`${change.what}: LXD keeps another value of ${change.because.join(', ')}`);
          continue;
        }
        try {
          await applyChange(lxd.connection, change, members, signal);
          this.#made.set(JSON.stringify(change), Date.now());
          changes += 1;
          log.info({ what: change.what, done: change.do, because: change.because }, 'as the preseed says');
        } catch (error) {
          problems.push(`${change.what}: ${messageOf(error)}`);
        }
      }
    } catch (error) {
      problems.push(messageOf(error));
    }
    if (problems.length > 0 && problems.join() !== this.#view.problems.join()) log.warn({ problems }, 'not all is as the preseed says');
    const { asWantedAt } = this.#view;
    const now = problems.length === 0 ? new Date().toISOString() : asWantedAt;
    this.#view = { ...(now === undefined ? {} : { asWantedAt: now }), changes, problems, leftovers };
  }

  #isStubborn(change: Change): boolean {
    const at = this.#made.get(JSON.stringify(change));
    return at !== undefined && Date.now() - at < STUBBORN_MS;
  }
}
