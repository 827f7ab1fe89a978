import { isDeepStrictEqual } from 'node:util';
import type { StatefulSetOptions } from '../cluster/manifests.js';
import { wantedBy } from './repository.js';

export interface FollowerOptions {
  /** The file in the repository; undefined when it is not there. */
  readonly read: () => Promise<string | undefined>;
  readonly apply: (wanted: StatefulSetOptions) => Promise<void>;
  readonly isSuspended: () => boolean;
}

/** Plays Flux with its Helm controller: applies what the file asks for once for each change of it, and repairs nothing in between. */
export class Follower {
  readonly #options: FollowerOptions;
  #applied: StatefulSetOptions | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  async step(): Promise<'applied' | 'unchanged' | 'suspended' | 'no-file'> {
    if (this.#options.isSuspended()) return 'suspended';
    const text = await this.#options.read();
    if (text === undefined) return 'no-file';
    const wanted = wantedBy(text);
    if (isDeepStrictEqual(wanted, this.#applied)) return 'unchanged';
    await this.#options.apply(wanted);
    this.#applied = wanted;
    return 'applied';
  }
}
