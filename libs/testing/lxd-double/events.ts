import type { WebSocket } from 'ws';
import type { LxdFaults } from './faults.js';

const PING_MS = 10_000;

/** The event streams: a ping at once after registration and then every 10 s, events as text frames. */
export class EventHub {
  readonly #listeners = new Map<WebSocket, readonly string[]>();
  readonly #faults: LxdFaults;
  readonly #pings: NodeJS.Timeout;
  /** Pings of clients so far that were answered. */
  answered = 0;

  constructor(faults: LxdFaults) {
    this.#faults = faults;
    this.#pings = setInterval(() => this.#ping(), PING_MS).unref();
  }

  get size(): number {
    return this.#listeners.size;
  }

  add(socket: WebSocket, types: readonly string[]): void {
    this.#listeners.set(socket, types);
    socket.on('close', () => this.#listeners.delete(socket));
    socket.on('error', () => socket.terminate());
    socket.on('ping', (data) => {
      if (this.#faults.muteEvents) return;
      socket.pong(data);
      this.answered += 1;
    });
    if (!this.#faults.muteEvents) socket.ping();
  }

  lifecycle(action: string, instance: string, extra: Readonly<Record<string, unknown>> = {}): void {
    this.#send('lifecycle', { action, source: `/1.0/instances/${instance}`, ...extra });
  }

  operation(operation: object): void {
    this.#send('operation', operation);
  }

  /** Ends every stream, as a cut connection does. */
  cut(): void {
    for (const socket of this.#listeners.keys()) socket.terminate();
  }

  close(): void {
    clearInterval(this.#pings);
    this.cut();
  }

  #send(type: string, metadata: object): void {
    if (this.#faults.muteEvents) return;
    const text = JSON.stringify({ type, timestamp: new Date().toISOString(), metadata, location: 'none', project: 'default' });
    for (const [socket, types] of this.#listeners) if (types.length === 0 || types.includes(type)) socket.send(text);
  }

  #ping(): void {
    if (this.#faults.muteEvents) return;
    for (const socket of this.#listeners.keys()) socket.ping();
  }
}
