import type { WebSocket } from 'ws';
import { messageOf } from '#libs/errors/platform-error.js';
import type { EventHandlers, EventSubscription } from './client.js';
import type { Dialer } from './dial.js';
import { apiPath } from './paths.js';
import { event } from './schemas.js';
import { openWebSocket } from './websocket.js';

/** Times of an event stream; the defaults suit LXD 5.0.2, which pings each listener at once and then every 10 s. */
export interface EventTimes {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Silence after which we ping. */
  readonly idleMs: number;
  /** Further silence after which the connection counts as lost. */
  readonly pongMs: number;
  /** LXD registers a listener after the upgrade and then pings it: until that ping, or this long, an event could be missed. */
  readonly registeredMs: number;
}

export const DEFAULT_EVENT_TIMES: EventTimes = {
  backoffMinMs: 200,
  backoffMaxMs: 5_000,
  idleMs: 15_000,
  pongMs: 5_000,
  registeredMs: 1_000,
};

/** An event stream that reconnects until closed. Handlers are called in order and never after `close()`. */
export class EventStream implements EventSubscription {
  readonly #open: () => WebSocket;
  readonly #handlers: EventHandlers;
  readonly #times: EventTimes;
  readonly #timers = new Set<NodeJS.Timeout>();
  #socket: WebSocket | undefined;
  #watchTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #connected = false;
  #lastReason: string | undefined;
  #closed = false;

  constructor(dialer: Dialer, types: readonly string[], handlers: EventHandlers, times: EventTimes) {
    const path = apiPath(['events'], { type: types.join(',') });
    this.#open = () => openWebSocket(dialer, path);
    this.#handlers = handlers;
    this.#times = times;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#clearTimers();
    this.#socket?.terminate();
  }

  #connect(): void {
    const socket = this.#open();
    this.#socket = socket;
    let reason = 'the stream ended';
    socket.on('open', () => {
      this.#after(this.#times.registeredMs, () => this.#markConnected());
      this.#watch(socket);
    });
    socket.on('ping', () => this.#seen(socket));
    socket.on('pong', () => this.#watch(socket));
    socket.on('message', (data) => {
      this.#seen(socket);
      if (this.#closed || this.#deliver(data.toString())) return;
      reason = 'a message came that is no event of LXD';
      socket.terminate();
    });
    socket.on('error', (error) => {
      reason = messageOf(error);
    });
    // Always follows, also after a failed handshake; LXD itself never sends a close frame.
    socket.on('close', () => this.#disconnected(reason));
  }

  #deliver(text: string): boolean {
    const parsed = event.safeParse(jsonOf(text));
    if (parsed.success) this.#handlers.onEvent(parsed.data);
    return parsed.success;
  }

  #seen(socket: WebSocket): void {
    this.#watch(socket);
    this.#markConnected();
  }

  #markConnected(): void {
    if (this.#connected || this.#closed) return;
    this.#connected = true;
    this.#failures = 0;
    this.#lastReason = undefined;
    this.#handlers.onConnected();
  }

  #watch(socket: WebSocket): void {
    if (this.#closed) return;
    this.#drop(this.#watchTimer);
    this.#watchTimer = this.#after(this.#times.idleMs, () => {
      socket.ping();
      this.#watchTimer = this.#after(this.#times.pongMs, () => socket.terminate());
    });
  }

  #disconnected(reason: string): void {
    this.#clearTimers();
    this.#connected = false;
    if (this.#closed) return;
    const wait = Math.min(this.#times.backoffMaxMs, this.#times.backoffMinMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 20);
    this.#after(wait * (0.5 + Math.random() / 2), () => this.#connect());
    if (reason === this.#lastReason) return;
    this.#lastReason = reason;
    this.#handlers.onDisconnected(reason);
  }

  #after(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #drop(timer: NodeJS.Timeout | undefined): void {
    if (!timer) return;
    clearTimeout(timer);
    this.#timers.delete(timer);
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it.
    return undefined;
  }
}
