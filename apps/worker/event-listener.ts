import type { Logger } from 'pino';
import type { Observer } from '#activities/webspace/observe.js';
import { isWebspaceName } from '#libs/domain/names.js';
import type { Platform } from '#libs/domain/platform.js';
import { planProjection } from '#libs/domain/projection.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { EventSubscription, LxdClient } from '#libs/lxd/client.js';
import type { LxdEvent } from '#libs/lxd/types.js';

const DEBOUNCE_MS = 50;
const RETRY_MS = 1_000;
/** Most operations end sooner: then their own last look was enough and no workflow is needed. */
const LOCK_PATIENCE_MS = 2_000;
const LOCK_POLL_MS = 100;

export interface ListenerParts {
  readonly lxd: LxdClient;
  readonly observer: Observer;
  readonly platform: Platform;
  readonly log: Logger;
  /** Starts or signals `reconcileWebspace`. */
  reconcile(name: string): Promise<void>;
  /** Everything may have changed: compare all. */
  resync(): Promise<void>;
  onLook(outcome: string): void;
  onConnected(connected: boolean): void;
}

/**
 * LXD's lifecycle events, which only say "look at this webspace again": nothing acts on what an event claims. A look reads, and asks for a
 * reconcile only when something differs.
 */
export class EventListener {
  readonly #parts: ListenerParts;
  readonly #pending = new Map<string, NodeJS.Timeout>();
  readonly #stop = new AbortController();
  #subscription: EventSubscription | undefined;
  #connected = false;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    this.#subscription = this.#parts.lxd.events(['lifecycle'], {
      onEvent: (event) => {
        const name = instanceOf(event);
        if (name && isWebspaceName(this.#parts.platform.instancePrefix, name)) this.look(name);
      },
      onConnected: () => {
        this.#setConnected(true);
        this.#resync();
      },
      onDisconnected: (reason) => {
        this.#parts.log.warn({ reason }, 'LXD event stream lost');
        this.#setConnected(false);
      },
    });
  }

  stop(): void {
    this.#stop.abort();
    this.#subscription?.close();
    for (const timer of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  /** Something may have changed: looks at the webspace, once for all that say so within a moment. */
  look(name: string): void {
    this.#lookSoon(name, DEBOUNCE_MS);
  }

  #setConnected(connected: boolean): void {
    this.#connected = connected;
    this.#parts.onConnected(connected);
  }

  #resync(): void {
    this.#parts.resync().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#parts.log.warn({ error: messageOf(error) }, 'resync could not be asked for, trying again');
      setTimeout(() => this.#stop.signal.aborted || this.#resync(), RETRY_MS).unref();
    });
  }

  #lookSoon(name: string, afterMs: number): void {
    if (this.#stop.signal.aborted || this.#pending.has(name)) return;
    const timer = setTimeout(() => {
      this.#pending.delete(name);
      this.#lookNow(name).catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#parts.onLook('failed');
        this.#parts.log.warn({ webspace: name, error: messageOf(error) }, 'look failed, looking again');
        this.#lookSoon(name, RETRY_MS);
      });
    }, afterMs);
    this.#pending.set(name, timer);
  }

  async #lookNow(name: string): Promise<void> {
    const { observer, platform, reconcile, onLook } = this.#parts;
    const { signal } = this.#stop;
    const patience = Date.now() + LOCK_PATIENCE_MS;
    for (;;) {
      // Most events are an operation's own: until it has ended only the lock is worth a read.
      if (Date.now() < patience && (await observer.isLocked(name, signal))) {
        await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
        continue;
      }
      const { lock, objects, instance } = await observer.observe(name, signal);
      if (lock?.holder && Date.now() < patience) continue;
      if (!lock?.holder && planProjection(name, instance, objects, platform).verdict === 'nothing') return onLook('in-step');
      await reconcile(name);
      return onLook('reconcile');
    }
  }
}

/** The instance an event is about: `/1.0/instances/<name>`, with or without `?project=`. */
export function instanceOf(event: LxdEvent): string | undefined {
  const source = event.metadata['source'];
  if (typeof source !== 'string') return undefined;
  return /^\/1\.0\/(?:instances|containers)\/([^/?]+)/.exec(source)?.[1];
}
