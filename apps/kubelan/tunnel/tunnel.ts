import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { familyOf } from '../addresses.js';
import type { Link } from '../kernel-state.js';
import { addressesOn } from '../plan-links.js';
import type { Underlay } from '../underlay.js';
import type { Exchange } from './exchange.js';
import { innerOf, newKeyPair, publicKeyOf } from './keys.js';
import { parseDump, planTunnels, type TunnelState } from './plan-tunnels.js';

/** What WireGuard adds to a packet: outer IP, UDP 8, its own header and tag 32. */
const OVERHEAD = { ipv4: 60, ipv6: 80 } as const;
const HOUR_MS = 3_600_000;

export interface TunnelParts {
  readonly settings: { readonly interface: string; readonly port: number; readonly rotateHours: number };
  readonly run: RunTool;
  readonly exchange: Exchange;
  readonly log: Logger;
}

export interface Way {
  /** Own address, between which VXLAN packets run. */
  readonly local: string;
  /** Of the link that carries them. */
  readonly mtu: number;
  readonly peers: ReadonlySet<string>;
}

/**
 * WireGuard between the members. A member is reached when it is behind a Service and its key was read; what else sends has no key and is not heard.
 * The interface outlives the process with its key, and the next one adopts it.
 */
export class Tunnel {
  readonly #parts: TunnelParts;

  constructor(parts: TunnelParts) {
    this.#parts = parts;
  }

  /** Brings the tunnels in step. `others` that are no peers stay while not everything was read. */
  async sync(
    links: ReadonlyMap<string, Link>,
    underlay: Underlay,
    { peers, others }: { readonly peers: Iterable<string>; readonly others: 'stay' | 'go' },
  ): Promise<Way> {
    const { settings, run, exchange } = this.#parts;
    const local = innerOf(underlay.address);
    const mtu = underlay.linkMtu - OVERHEAD[familyOf(underlay.address)];
    await this.#ensureLink(links.get(settings.interface), { local, mtu });
    const state = await this.#ensureKey(underlay.address);
    const wanted = [...peers].flatMap((endpoint) => {
      const key = exchange.of(endpoint)?.publicKey;
      return key === undefined ? [] : [{ publicKey: key, endpoint, inner: innerOf(endpoint) }];
    });
    const change = planTunnels(wanted, state, { port: settings.port, others: exchange.read ? others : 'stay' });
    if (change.length > 0) await run('wg', ['set', settings.interface, ...change]);
    return { local, mtu, peers: new Set(wanted.map(({ inner }) => inner)) };
  }

  async remove(links: ReadonlyMap<string, Link>): Promise<void> {
    const { settings, run } = this.#parts;
    if (links.has(settings.interface)) await run('ip', ['link', 'delete', 'dev', settings.interface]);
  }

  async #ensureLink(link: Link | undefined, { local, mtu }: { readonly local: string; readonly mtu: number }): Promise<void> {
    const { settings, run } = this.#parts;
    const name = settings.interface;
    if (!link) await this.#makeLink(name);
    const there = addressesOn(link).some(({ address }) => address === local);
    const lines = [
      ...(link?.mtu === mtu ? [] : [`link set dev ${name} mtu ${mtu}`]),
      ...(there ? [] : [`address add ${local}/64 nodad dev ${name}`]),
      ...(link?.flags.includes('UP') ? [] : [`link set dev ${name} up`]),
    ];
    if (lines.length > 0) await run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }

  /** In the kernel where it can, else by a process that goes on by itself and ends with the container. */
  async #makeLink(name: string): Promise<void> {
    const { run, log } = this.#parts;
    try {
      await run('ip', ['link', 'add', 'name', name, 'type', 'wireguard']);
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      await run('wireguard-go', [name]);
      log.warn('the kernel has no WireGuard: wireguard-go carries the packets');
    }
  }

  /** The key that is there, or a new one where there is none or it is too old; what others read of it is put right. */
  async #ensureKey(own: string): Promise<TunnelState> {
    const { settings, run, exchange, log } = this.#parts;
    const state = parseDump(await run('wg', ['show', settings.interface, 'dump']));
    const said = exchange.of(own);
    const present = state.privateKey === undefined ? undefined : publicKeyOf(state.privateKey);
    const published = said !== undefined && said.publicKey === present;
    // Also one of the future: the clock was set back, and it would count as new for ever.
    const old = published && Math.abs(Date.now() - said.since) > settings.rotateHours * HOUR_MS;
    if (present !== undefined && !old) {
      if (state.port !== settings.port) await run('wg', ['set', settings.interface, 'listen-port', String(settings.port)]);
      if (!published && exchange.read) await exchange.publish(own, present);
      return state;
    }
    const { privateKey, publicKey } = newKeyPair();
    // First: a key that nobody could read would cut this member off.
    await exchange.publish(own, publicKey);
    await inMemory(privateKey, (file) => run('wg', ['set', settings.interface, 'listen-port', String(settings.port), 'private-key', file]));
    log.info({ publicKey }, old ? 'the key was replaced' : 'a key was made');
    return { ...state, privateKey };
  }
}

/** `wg` reads a private key from a file only. This one is in memory, for the time of one call. */
async function inMemory<T>(secret: string, work: (file: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync('/dev/shm/lan-');
  try {
    const file = join(folder, 'key');
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    return await work(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
