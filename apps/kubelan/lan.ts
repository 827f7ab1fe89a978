import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { KubelanConfig } from '#libs/config/kubelan.js';
import { macOf } from '#libs/domain/lan.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { familyOf, splitAddress } from './addresses.js';
import { announce } from './announce.js';
import { filterScript, readFilter, removeFilter } from './filter.js';
import { type Link, readEntries, readLinks } from './kernel-state.js';
import { addressesOn, type LinkPlan, planLinks, type WantedLinks, written } from './plan-links.js';
import { planPeers } from './plan-peers.js';
import { peersAmong } from './services.js';
import { BEFORE, type State } from './state.js';
import type { Tunnel, Way } from './tunnel/tunnel.js';
import { contentOf, type Underlay, underlayOf } from './underlay.js';

/** What is known of the Services when the kernel is looked at. */
export interface Known {
  readonly addresses: Iterable<string>;
  readonly unread: readonly string[];
}

export interface Told {
  readonly peers: (change: { readonly added: number; readonly removed: number; readonly forgotten: number }) => void;
  readonly made: (made: LinkPlan['made']) => void;
}

export interface LanParts {
  readonly config: KubelanConfig;
  readonly run: RunTool;
  readonly known: () => Known;
  /** Where members reach each other through tunnels of their own. */
  readonly tunnel?: Tunnel | undefined;
  readonly log: Logger;
  readonly told: Told;
}

/**
 * The LAN in the kernel of this network namespace, brought to what is wanted by differences: the interface, its bridge and addresses, the flood
 * list, and the filter. It outlives the process, and the next one adopts it. Calls must not overlap.
 */
export class Lan {
  readonly #parts: LanParts;
  #state: State = BEFORE;

  constructor(parts: LanParts) {
    this.#parts = parts;
  }

  get state(): State {
    return this.#state;
  }

  /** One look at everything, and what it takes to put it right. @throws PlatformError; then {@link state} has the reason. */
  async sync(): Promise<void> {
    try {
      this.#state = await this.#sync();
    } catch (error) {
      this.#state = { ...this.#state, problem: messageOf(error) };
      throw error;
    }
  }

  async #sync(): Promise<State> {
    const { config, run, log, told } = this.#parts;
    const { interface: name, vni, port } = config.lan;
    const known = this.#parts.known();
    const links = await readLinks(run);
    const underlay = await underlayOf(config.underlay.address, links, run);
    const filter = await readFilter(run);
    const way = await this.#way(links, underlay, known);
    const wanted = this.#wantedLinks(way);
    const plan = planLinks(wanted, links, filter?.addresses ?? new Set());
    const peers = new Set(way.peers);
    // Who was a peer before this process stays one until every Service has been read.
    if (known.unread.length > 0) {
      const before = links.has(name) ? await readEntries(run, name) : [];
      const own = before.flatMap(({ kind, dst }) => (kind === 'own' ? [dst] : []));
      for (const peer of peersAmong([...own, ...(filter?.peers ?? [])], way.local)) peers.add(peer);
    }

    // First: packets of a new peer must be let in before frames go to it, and those of one that left must not be learned from any more.
    const through = this.#parts.tunnel && config.wireguard.interface;
    const interfaces = [name, ...(config.bridge === undefined ? [] : [config.bridge])];
    // Remembered until it is gone, should the next step fail.
    const present = [...links.values()].flatMap(addressesOn).filter(({ address }) => filter?.addresses.has(address));
    const addresses = new Set([...wanted.addresses, ...present].map(({ address }) => address));
    await run('nft', ['-f', '-'], filterScript({ vni, port, through, interfaces, peers, addresses }, filter));
    if (plan.lines.length > 0) {
      log.info({ changes: plan.lines }, 'the interface is put right');
      await run('ip', ['-batch', '-'], `${plan.lines.join('\n')}\n`);
    }
    const change = planPeers(name, peers, await readEntries(run, name));
    if (change.lines.length > 0) await run('bridge', ['-force', '-batch', '-'], `${change.lines.join('\n')}\n`);
    if (change.added.length + change.removed.length > 0) {
      log.info({ added: some(change.added), removed: some(change.removed), peers: peers.size }, 'peers changed');
    }
    told.peers({ added: change.added.length, removed: change.removed.length, forgotten: change.forgotten });
    const after = plan.lines.length > 0 ? await readLinks(run) : links;
    if (plan.made !== 'nothing') told.made(plan.made);
    if (plan.appears.length > 0) await this.#announce(plan, after);
    return {
      syncedAtMs: performance.now(),
      problem: undefined,
      interfaceUp: after.get(name)?.flags.includes('UP') ?? false,
      mtu: wanted.mtu,
      underlay: underlay.address,
      peers,
      unread: known.unread,
    };
  }

  /** Takes away what was made, a bridge apart: others may use it. */
  async remove(): Promise<void> {
    const { config, run } = this.#parts;
    const { interface: name } = config.lan;
    const links = await readLinks(run);
    const ours = (await readFilter(run))?.addresses ?? new Set();
    const lines = [...links].flatMap(([device, link]) =>
      addressesOn(link).flatMap((one) => (ours.has(one.address) ? [`address del ${written(one)} dev ${device}`] : [])),
    );
    if (links.get(name)?.linkinfo?.info_kind === 'vxlan') lines.push(`link del dev ${name}`);
    await run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
    await this.#parts.tunnel?.remove(links);
    await removeFilter(run);
  }

  /** Between which addresses VXLAN packets run: those of the underlay, or those inside the tunnels. */
  async #way(links: ReadonlyMap<string, Link>, underlay: Underlay, { addresses, unread }: Known): Promise<Way> {
    const peers = peersAmong(addresses, underlay.address);
    const { tunnel } = this.#parts;
    if (!tunnel) return { local: underlay.address, mtu: underlay.linkMtu, peers };
    return tunnel.sync(links, underlay, { peers, others: unread.length > 0 ? 'stay' : 'go' });
  }

  #wantedLinks({ local, mtu }: Way): WantedLinks {
    const { lan, bridge, ageingSeconds } = this.#parts.config;
    const addresses = this.#parts.config.addresses.map(splitAddress);
    const first = addresses.find(({ address }) => familyOf(address) === 'ipv4');
    return {
      name: lan.interface,
      vni: lan.vni,
      port: lan.port,
      local,
      mtu: lan.mtu ?? contentOf(mtu, local),
      // By the address, so that a pod that comes back elsewhere is the same one for its neighbours.
      mac: first && macOf(first.address),
      ageingSeconds,
      bridge,
      addresses,
    };
  }

  /** Never the reason that a sync fails: whoever was not told finds out by itself, only later. */
  async #announce({ holder, appears }: LinkPlan, links: ReadonlyMap<string, Link>): Promise<void> {
    try {
      await announce(this.#parts.run, holder, links.get(holder)?.address, appears);
    } catch (error) {
      this.#parts.log.warn({ error: messageOf(error), addresses: appears.map(written) }, 'neighbours could not be told of an address');
    }
  }
}

/** A log line is no list of a thousand. */
function some(addresses: readonly string[]): readonly string[] {
  return addresses.length <= 10 ? addresses : [...addresses.slice(0, 10), `and ${addresses.length - 10} more`];
}
