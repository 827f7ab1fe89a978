import { createSocket, type Socket } from 'node:dgram';

export interface Target {
  readonly address: string;
  readonly port: number;
  /** Until then (epoch milliseconds) its port may refuse, since it boots. */
  readonly deadline: number;
}

export interface FlowOptions {
  /** Where the datagrams go; boots the webspace when it is off. */
  readonly target: () => Promise<Target>;
  /** To the client. */
  readonly answer: (datagram: Buffer) => void;
  readonly ended: (error?: unknown) => void;
}

/** As much as is kept of a flow while its webspace boots. */
export const KEPT_BYTES = 64 * 1024;
const KEPT_DATAGRAMS = 64;
/** Doubled each time: a kernel refuses six times in a row, then once a second (Linux, `icmp_ratelimit`). */
const AGAIN_MS = { first: 100, most: 1_000 };
/** Without an answer or a refusal for so long, datagrams are taken for received: many protocols never answer. */
const SETTLED_MS = 2_000;

/**
 * The datagrams of one client to one forwarded port. Those that come while the webspace boots are kept (the first 64, 64 KiB), sent once it has
 * started, and sent again when they are refused because its port is not open yet; so one may arrive twice, as with UDP anyway.
 */
export class UdpFlow {
  readonly #options: FlowOptions;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #socket: Socket | undefined;
  #settled = false;
  #againMs = AGAIN_MS.first;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  lastMs = performance.now();

  constructor(options: FlowOptions) {
    this.#options = options;
    options.target().then(
      (target) => this.#open(target),
      (error: unknown) => this.end(error),
    );
  }

  send(datagram: Buffer): void {
    this.lastMs = performance.now();
    if (!this.#settled) this.#keep(datagram);
    this.#socket?.send(datagram);
  }

  end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
    this.#options.ended(error);
  }

  #keep(datagram: Buffer): void {
    if (this.#kept.length >= KEPT_DATAGRAMS || this.#keptBytes + datagram.length > KEPT_BYTES) return;
    this.#kept.push(datagram);
    this.#keptBytes += datagram.length;
  }

  #open({ address, port, deadline }: Target): void {
    if (this.#over) return;
    const socket = createSocket('udp4');
    socket.on('message', (datagram) => {
      this.lastMs = performance.now();
      this.#settle();
      this.#options.answer(datagram);
    });
    // A connected socket is told of refusals (ICMP) of what it sent before.
    socket.on('error', () => this.#refused(deadline));
    socket.connect(port, address, () => {
      this.#socket = socket;
      if (this.#over) socket.close();
      else this.#sendKept();
    });
  }

  #sendKept(): void {
    for (const datagram of this.#kept) this.#socket?.send(datagram);
    this.#timer = setTimeout(() => this.#settle(), SETTLED_MS);
  }

  #refused(deadline: number): void {
    // One that has settled may refuse now and then; its client will notice by itself.
    if (this.#settled || this.#over) return;
    clearTimeout(this.#timer);
    if (Date.now() >= deadline) {
      this.#settle();
      return;
    }
    this.#timer = setTimeout(() => this.#sendKept(), this.#againMs);
    this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS.most);
  }

  #settle(): void {
    if (this.#settled) return;
    clearTimeout(this.#timer);
    this.#settled = true;
    this.#kept.length = 0;
  }
}
