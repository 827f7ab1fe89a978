import { run, tryRun } from '#lab/exec.js';
import type { Lab } from '#lab/harness.js';

/**
 * Counts packets of this machine for the lab's containers, in an nftables table of its own: those that leave by the lab's link, and those
 * that leave by any other way, of which there must be none.
 */
export class LeakCounter {
  readonly #table: string;
  readonly #device: string;
  readonly #subnet: string;

  constructor({ profile: { index, network } }: Lab) {
    this.#table = `webspaces_test_${index}`;
    this.#device = network.hostLink.device;
    this.#subnet = network.containerSubnet;
  }

  async start(): Promise<void> {
    const rules = [
      `ip daddr ${this.#subnet} oifname "${this.#device}" counter name onlink;`,
      `ip daddr ${this.#subnet} oifname != "${this.#device}" counter name leaked;`,
    ].join(' ');
    const table = `table inet ${this.#table} {
  counter onlink {}
  counter leaked {}
  chain sent { type filter hook output priority 300; ${rules} }
  chain routed { type filter hook forward priority 300; ${rules} }
}`;
    await run('nft', ['-f', '-'], { input: `table inet ${this.#table}\ndelete table inet ${this.#table}\n${table}\n` });
  }

  async packets(counter: 'onlink' | 'leaked'): Promise<number> {
    const text = await run('nft', ['list', 'counter', 'inet', this.#table, counter]);
    return Number(/packets (\d+)/.exec(text)?.[1]);
  }

  async stop(): Promise<void> {
    await tryRun('nft', ['delete', 'table', 'inet', this.#table]);
  }
}
