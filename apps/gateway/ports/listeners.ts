import type { Logger } from 'pino';
import type { PortForward } from '#libs/contracts/operations.js';
import { portKey } from '#libs/domain/change.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Descriptors } from './descriptors.js';
import type { ListenerParts } from './streams.js';
import { type Listener, listenTcp } from './tcp-listener.js';
import { listenUdp } from './udp-listener.js';

export interface ListenersOptions {
  readonly parts: ListenerParts;
  readonly hostAddress: string;
  /** At most so many at once. */
  readonly limit: number;
  readonly descriptors: Descriptors;
  readonly log: Logger;
  /** A UDP port whose listener has closed with no flow left. */
  readonly onUdpClosed: (key: string) => void;
}

/** After the kernel has taken a port over, what was on its way to the listener still finds it for so long. */
const LINGER_MS = 2_000;
const AT_ONCE = 64;

/** The listeners of forwarded ports, where one is needed. Calls must not overlap. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #open = new Map<string, Listener>();
  /** Ports that could not be had, and why. */
  readonly #refused = new Map<string, string>();
  /** Ports for which there is no room. */
  readonly #beyond = new Set<string>();
  readonly #lingering = new Map<string, NodeJS.Timeout>();
  #opening = 0;
  #full = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Forwards that should have a listener and have none. */
  get refused(): number {
    return this.#refused.size + this.#beyond.size;
  }

  /** Why some have none, if so. */
  get shortage(): string | undefined {
    const because = [
      ...(this.#beyond.size > 0 ? [`${this.#beyond.size} because of the limit of ${this.#options.limit} listeners or of open files`] : []),
      ...(this.#refused.size > 0
        ? [`${this.#refused.size} because their ports cannot be had: ${[...this.#refused.keys()].slice(0, 5).join(', ')}`]
        : []),
    ];
    return because.length === 0 ? undefined : `Forwards without a listener: ${because.join('; ')}.`;
  }

  /** Whether the listener of a UDP port has flows, which need it until they are idle. */
  hasFlows(key: string): boolean {
    return (this.#open.get(key)?.flows ?? 0) > 0;
  }

  /** Opens those that are missing; true when all have one. A port that cannot be had is said once and tried again at the next call. */
  async ensure(wanted: Iterable<PortForward>): Promise<boolean> {
    const missing: PortForward[] = [];
    for (const port of wanted) {
      this.#stay(portKey(port));
      if (!this.#open.has(portKey(port))) missing.push(port);
    }
    while (missing.length > 0) await Promise.all(missing.splice(0, AT_ONCE).map((port) => this.#listen(port)));
    this.#tellRoom();
    return this.refused === 0;
  }

  /** Closes those of these ports that are open, after the time in which a connection may still be on its way. */
  release(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#refused.delete(key);
      this.#beyond.delete(key);
      if (!this.#open.has(key) || this.#lingering.has(key)) continue;
      this.#lingering.set(
        key,
        setTimeout(() => this.#close(key), LINGER_MS),
      );
    }
  }

  /** Closes all at once; connections and flows they have go on. */
  closeAll(): void {
    this.#refused.clear();
    this.#beyond.clear();
    for (const key of [...this.#open.keys()]) this.#close(key);
  }

  keys(): string[] {
    return [...this.#open.keys(), ...this.#refused.keys(), ...this.#beyond];
  }

  #stay(key: string): void {
    clearTimeout(this.#lingering.get(key));
    this.#lingering.delete(key);
  }

  #close(key: string): void {
    this.#stay(key);
    const listener = this.#open.get(key);
    if (!listener) return;
    if (key.startsWith('udp-') && listener.flows > 0) {
      // A flow is answered from this very socket.
      this.release([key]);
      return;
    }
    this.#open.delete(key);
    listener.close();
    this.#options.descriptors.give(1);
    if (key.startsWith('udp-')) this.#options.onUdpClosed(key);
  }

  async #listen(port: PortForward): Promise<void> {
    const { parts, hostAddress, limit, descriptors } = this.#options;
    const key = portKey(port);
    if (this.#open.size + this.#opening >= limit || !descriptors.take(1)) {
      this.#refused.delete(key);
      this.#beyond.add(key);
      return;
    }
    this.#opening += 1;
    const listen = port.protocol === 'tcp' ? listenTcp : listenUdp;
    try {
      this.#open.set(key, await listen(parts, { external: port.external, hostAddress }));
      this.#refused.delete(key);
    } catch (error) {
      descriptors.give(1);
      this.#refuse(key, messageOf(error));
    } finally {
      this.#opening -= 1;
      this.#beyond.delete(key);
    }
  }

  #refuse(key: string, why: string): void {
    if (this.#refused.get(key) !== why) this.#options.log.warn({ port: key, why }, 'no listener for a forwarded port');
    this.#refused.set(key, why);
  }

  /** Said when the first forward finds no room and when none is left of those; how many there are, a gauge says. */
  #tellRoom(): void {
    const full = this.#beyond.size > 0;
    if (full === this.#full) return;
    this.#full = full;
    const { log, limit } = this.#options;
    if (full)
      log.warn(
        { forwards: this.#beyond.size, limit },
        'no more listeners: connections to further forwards of webspaces that are off are refused',
      );
    else log.info({ listeners: this.count }, 'every forward has its listener again');
  }
}
