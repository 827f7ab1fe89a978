import type { RunTool } from '#libs/linux/tools.js';
import { type Counts, parseCounters } from './counters.js';
import { type RulesetOptions, rulesetText } from './ruleset.js';
import { type RuleSets, setsChange } from './sets.js';
import { TABLE } from './table.js';

const PLACE = TABLE.split(' ');

/** The router's one nftables table in this network namespace. Calls must not overlap. Every method throws PlatformError UNAVAILABLE when nft fails. */
export class Rules {
  readonly #run: RunTool;
  readonly #options: RulesetOptions;
  #sets: RuleSets | undefined;
  /** As nft listed it after the last change of ours. */
  #listing = '';

  constructor(run: RunTool, options: RulesetOptions) {
    this.#run = run;
    this.#options = options;
  }

  /** Brings rules and sets in step; unless told that the rules may have been changed by others, only what differs from the last time. */
  async bring(sets: RuleSets, { look }: { readonly look: boolean }): Promise<'kept' | 'changed' | 'replaced'> {
    if (this.#sets === undefined || (look && (await this.#list()) !== this.#listing)) {
      await this.#run('nft', ['-f', '-'], rulesetText(this.#options, sets, await this.#countsSoFar()));
      this.#sets = sets;
      this.#listing = await this.#list();
      return 'replaced';
    }
    const change = setsChange(this.#sets, sets);
    if (change === '') return 'kept';
    // Elements may have gone with a table that others removed: then everything is made anew the next time.
    this.#sets = undefined;
    await this.#run('nft', ['-f', '-'], change);
    this.#sets = sets;
    return 'changed';
  }

  async counts(): Promise<Counts> {
    return parseCounters(await this.#run('nft', ['-j', 'list', 'counters', 'table', ...PLACE]));
  }

  /** Counters go on where an earlier process, or the table before, had them. */
  async #countsSoFar(): Promise<Counts> {
    try {
      return await this.counts();
    } catch {
      // There is no table yet, or one that is not ours.
      return new Map();
    }
  }

  /** Rules without counters' values and without elements; empty when there is no table. */
  async #list(): Promise<string> {
    try {
      return await this.#run('nft', ['-s', '-t', 'list', 'table', ...PLACE]);
    } catch {
      // There is none: what is wanted differs.
      return '';
    }
  }
}
