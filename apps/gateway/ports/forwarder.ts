import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { PortsStatus } from '#libs/contracts/gateway.js';
import type { PortForward } from '#libs/contracts/operations.js';
import { portKey } from '#libs/domain/change.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Directory, WebspaceView } from '../directory.js';
import type { Kernel } from './kernel.js';
import type { Listeners } from './listeners.js';
import { type Entry, type Served, servedBy } from './plan.js';
import type { Traffic } from './traffic.js';

export interface ForwarderParts {
  readonly directory: Directory;
  /** None: everything goes through listeners. */
  readonly kernel: Kernel | undefined;
  readonly listeners: Listeners;
  readonly traffic: Traffic;
  readonly log: Logger;
  readonly onKernelFailure: () => void;
}

const AGAIN_MS = 1_000;
const FIRST_LOOK_MS = 10;
/** How often the kernel is compared and its counters read. */
const LOOK_MS = 5_000;

/**
 * Keeps kernel and listeners at what the cluster says, one round after another: a listener is open before its port leaves the kernel, and
 * closes after the kernel has it. Level-triggered: a change only says which webspaces to look at.
 */
export class Forwarder {
  readonly #parts: ForwarderParts;
  readonly #dirty = new Set<string>();
  /** What each webspace was served with in the last round. */
  readonly #served = new Map<string, Served>();
  /** UDP ports whose listeners have closed. */
  readonly #closed = new Set<string>();
  #all = true;
  #adopted = false;
  #problem: string | undefined;
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  #active = false;

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  /** Whether it forwards, and what it does is known. */
  get active(): boolean {
    return this.#active && this.#adopted;
  }

  /** Why it cannot do its work, if so. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Nothing more when it has started already: a turn of the Lease that failed half way is begun again. */
  start(): void {
    if (this.#active) return;
    this.#active = true;
    this.#all = true;
    this.#unsubscribe = this.#parts.directory.onChange((name) => {
      this.#dirty.add(name);
      this.#soon(0);
    });
    this.#look = setInterval(() => void this.#queue(() => this.#readTraffic()), LOOK_MS);
    this.#soon(0);
  }

  /** Ends when the first round is done, or with the deadline: who is led here before that would be refused. */
  async firstRound(deadlineMs: number): Promise<void> {
    for (const end = performance.now() + deadlineMs; !this.active && performance.now() < end; ) await delay(FIRST_LOOK_MS);
  }

  /** Takes no more visitors; what the kernel forwards stays. */
  async stop(): Promise<void> {
    this.#active = false;
    this.#unsubscribe?.();
    clearInterval(this.#look);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
    this.#parts.listeners.closeAll();
    this.#served.clear();
    this.#closed.clear();
    this.#adopted = false;
  }

  /** What the kernel forwards to this webspace now. */
  kernelOf({ address, ports }: WebspaceView): PortsStatus['kernel'] {
    const named = new Set(ports.map(portKey));
    const entries = [...(this.#parts.kernel?.entries ?? [])];
    return entries
      .filter(([key, entry]) => named.has(key) || entry.address === address)
      .map(([key]) => key as PortsStatus['kernel'][number]);
  }

  /** Lets a UDP port's flows find the kernel once its listener has gone. */
  forgetFlows(key: string): void {
    const { kernel } = this.#parts;
    if (!kernel || !this.#active) return;
    this.#closed.add(key);
    // Listeners mostly close many at once.
    if (this.#closed.size > 1) return;
    void this.#queue(async () => {
      const keys = [...this.#closed];
      this.#closed.clear();
      await kernel.forgetFlows(keys);
    });
  }

  #soon(ms: number): void {
    if (!this.#active || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#queue(() => this.#round());
    }, ms);
  }

  /** One thing after another; a failure is said, and everything is compared anew a second later. */
  #queue(work: () => Promise<void>): Promise<void> {
    this.#running = this.#running.then(async () => {
      if (!this.#active) return;
      try {
        await work();
      } catch (error) {
        if (this.#problem === undefined) this.#parts.log.error({ error: messageOf(error) }, 'forwarding failed, trying again');
        this.#problem = messageOf(error);
        this.#adopted = false;
        this.#all = true;
        this.#parts.onKernelFailure();
        this.#soon(AGAIN_MS);
      }
    });
    return this.#running;
  }

  async #round(): Promise<void> {
    const { directory, kernel, listeners } = this.#parts;
    if (!directory.synced) return this.#soon(50);
    if (!this.#adopted) await kernel?.adopt();
    const all = this.#all;
    this.#all = false;
    const names = all ? new Set([...[...directory.all()].map(({ name }) => name), ...this.#served.keys()]) : new Set(this.#dirty);
    this.#dirty.clear();
    const now = kernel?.entries ?? new Map<string, Entry>();
    const wanted = new Map<string, Entry>(all ? [] : now);
    const open: PortForward[] = [];
    const before = [...names].flatMap((name) => this.#keysOf(name));
    if (!all) for (const key of before) wanted.delete(key);
    for (const name of names) {
      const view = directory.get(name);
      const served = servedBy(view, kernel ? 'kernel' : 'userspace', now);
      for (const [key, entry] of served.kernel) wanted.set(key, entry);
      open.push(...served.listeners);
      if (view) this.#served.set(name, served);
      else this.#forget(name);
    }
    const complete = await listeners.ensure(open);
    await kernel?.apply(wanted, (key) => wanted.has(key) && listeners.hasFlows(key));
    const needed = new Set(open.map(portKey));
    listeners.release(
      (all ? listeners.keys() : before.concat([...wanted.keys()])).filter((key) => !needed.has(key) && !this.#listened(key, names)),
    );
    this.#adopted = true;
    this.#problem = undefined;
    if (complete) return;
    this.#all = true;
    this.#soon(AGAIN_MS);
  }

  #keysOf(name: string): string[] {
    const served = this.#served.get(name);
    return served ? [...served.kernel.keys(), ...served.listeners.map(portKey)] : [];
  }

  /** Whether a webspace that was not looked at in this round has a listener at that port. */
  #listened(key: string, looked: ReadonlySet<string>): boolean {
    const [protocol, external] = key.split('-');
    const view = this.#parts.directory.byPort(protocol as PortForward['protocol'], Number(external));
    if (!view || looked.has(view.name)) return false;
    return this.#served.get(view.name)?.listeners.some((port) => portKey(port) === key) ?? false;
  }

  #forget(name: string): void {
    this.#served.delete(name);
    this.#parts.traffic.forget(name);
  }

  /** Somebody may have changed our table by hand: then everything is put right. */
  async #readTraffic(): Promise<void> {
    const { kernel, traffic, directory } = this.#parts;
    if (!kernel || !this.#adopted) return;
    const known = JSON.stringify([...kernel.entries].sort());
    const state = await kernel.read();
    const nameOf = new Map([...directory.all()].flatMap(({ address, name }) => (address === undefined ? [] : [[address, name] as const])));
    traffic.keepOnly(new Set(state.traffic.keys()));
    for (const [address, packets] of state.traffic) {
      const name = nameOf.get(address);
      if (name !== undefined) traffic.counted(name, address, packets);
    }
    if (JSON.stringify([...state.entries].sort()) === known) return;
    this.#all = true;
    this.#soon(0);
  }
}
