import { isPlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { difference, type Entries, type Entry } from './plan.js';
import { changeScript, type KernelState, parseListing, portsOfFlows, type RuleOptions, tableScript } from './rules.js';

export interface KernelOptions extends RuleOptions {
  readonly run: RunTool;
}

/**
 * The forwards in the kernel of this network namespace: one nftables table of ours. It outlives the process; {@link adopt} takes over what is
 * there. Calls must not overlap. Every method throws PlatformError UNAVAILABLE when nft or conntrack fails: then {@link adopt} anew.
 */
export class Kernel {
  readonly #options: KernelOptions;
  #entries: Entries = new Map();
  #counted: ReadonlySet<string> = new Set();

  constructor(options: KernelOptions) {
    this.#options = options;
  }

  /** As far as is known, what the kernel forwards. */
  get entries(): Entries {
    return this.#entries;
  }

  /** Makes the table or brings its rules in step, and reads what it forwards. Connections and forwards stay as they are. */
  async adopt(): Promise<void> {
    await this.#options.run('nft', ['-f', '-'], tableScript(this.#options));
    await this.read();
  }

  /** What the kernel holds now; somebody may have changed it. */
  async read(): Promise<KernelState> {
    const state = parseListing(await this.#options.run('nft', ['-j', 'list', 'table', 'inet', 'webspaces']));
    this.#entries = state.entries;
    this.#counted = new Set(state.traffic.keys());
    return state;
  }

  /**
   * Brings the kernel to what is wanted in one transaction, then lets the UDP flows of changed ports find their new way; when it returns
   * {@link entries} says so. Established TCP connections are not touched. `keepFlows` names UDP ports whose flows go on as they are.
   */
  async apply(wanted: Entries, keepFlows: (key: string) => boolean = () => false): Promise<void> {
    const change = difference(this.#entries, wanted);
    const changed = [...new Set([...change.remove.keys(), ...change.add.keys()])];
    const script = changeScript(this.#entries, change, this.#counted);
    if (script !== '') await this.#options.run('nft', ['-f', '-'], script);
    this.#counted = new Set([...wanted.values()].map(({ address }: Entry) => address));
    await this.forgetFlows(changed.filter((key) => key.startsWith('udp-') && !keepFlows(key)));
    this.#entries = new Map(wanted);
  }

  /** The next datagram of every flow to these UDP ports is led as one of a new flow. */
  async forgetFlows(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    // Deleting takes a process for each port, and most have no flow: those that have one are looked up first.
    const flows = portsOfFlows(await this.#options.run('conntrack', ['-L', '-p', 'udp']));
    for (const key of keys) if (flows.has(key.slice('udp-'.length))) await this.#deleteFlows(key.slice('udp-'.length));
  }

  async #deleteFlows(port: string): Promise<void> {
    try {
      await this.#options.run('conntrack', ['-D', '-p', 'udp', '--orig-port-dst', port]);
    } catch (error) {
      // It exits with 1 when there was none any more.
      if (!isPlatformError(error) || !String(error.details['output']).includes('0 flow entries')) throw error;
    }
  }
}
