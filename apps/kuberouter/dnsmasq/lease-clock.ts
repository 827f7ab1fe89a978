import { type DnsmasqFiles, readIfThere, writeWhole } from './files.js';
import { formatLeases, type Lease, parseLeases } from './leases.js';

/** What is less is a correction, after which no lease is over that should not be. */
const STEP_MS = 5_000;

export interface Clocks {
  /** Milliseconds since 1970, as somebody may set them. */
  readonly wall: () => number;
  readonly steady: () => number;
}

const CLOCKS: Clocks = { wall: () => Date.now(), steady: () => performance.now() };

/**
 * dnsmasq keeps leases to times of day: when the clock is set ahead they all would be over, and their addresses given to others while their
 * clients use them; when it is set back they would never end. So leases are moved with the clock.
 */
export class LeaseClock {
  readonly #files: Pick<DnsmasqFiles, 'leases'>;
  readonly #clocks: Clocks;
  #aheadMs: number | undefined;
  /** As they were at the last look. */
  #leases: readonly Lease[] = [];

  constructor(files: Pick<DnsmasqFiles, 'leases'>, clocks: Clocks = CLOCKS) {
    this.#files = files;
    this.#clocks = clocks;
  }

  /** By how many seconds the clock was set since the last look, when it was: then dnsmasq has to be stopped, and leases are to {@link move}. */
  look(): number | undefined {
    const aheadMs = this.#clocks.wall() - this.#clocks.steady();
    const stepMs = aheadMs - (this.#aheadMs ?? aheadMs);
    this.#aheadMs = aheadMs;
    if (Math.abs(stepMs) >= STEP_MS) return Math.round(stepMs / 1000);
    this.#leases = this.#read();
    return undefined;
  }

  /** What dnsmasq took for over meanwhile is a lease again; what it has given meanwhile stays one. */
  move(seconds: number): void {
    const moved = this.#leases.map((lease) => (lease.expires === 0 ? lease : { ...lease, expires: lease.expires + seconds }));
    const known = new Set(moved.flatMap(({ mac, address }) => [mac, address]));
    const given = this.#read().filter(({ mac, address }) => !known.has(mac) && !known.has(address));
    this.#leases = [...moved, ...given];
    writeWhole(this.#files.leases, formatLeases(this.#leases));
  }

  #read(): Lease[] {
    return parseLeases(readIfThere(this.#files.leases) ?? '');
  }
}
