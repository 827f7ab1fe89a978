import type { Logger } from 'pino';
import type { PortForward, Protocol } from '#libs/contracts/operations.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { Boots } from '../boots.js';
import type { Directory, WebspaceView } from '../directory.js';
import type { GatewayMetrics } from '../metrics.js';
import type { Waiting } from '../waiting.js';
import type { Descriptors } from './descriptors.js';
import type { Traffic } from './traffic.js';

/** What listeners share. */
export interface ListenerParts {
  readonly directory: Directory;
  readonly boots: Boots;
  readonly waiting: Waiting;
  readonly streams: Streams;
  readonly traffic: Traffic;
  readonly metrics: GatewayMetrics;
  readonly udpIdleMs: number;
  readonly log: Logger;
}

const DESCRIPTORS = 2;

/** Connections and UDP flows through this process, so many and no more; each needs up to two file descriptors. */
export class Streams {
  readonly #limit: number;
  readonly #descriptors: Descriptors;
  #count = 0;
  #idle: (() => void)[] = [];

  constructor(limit: number, descriptors: Descriptors) {
    this.#limit = limit;
    this.#descriptors = descriptors;
  }

  get count(): number {
    return this.#count;
  }

  /** True when there was room for one more, which {@link end} gives back. */
  begin(): boolean {
    if (this.#count >= this.#limit || !this.#descriptors.take(DESCRIPTORS)) return false;
    this.#count += 1;
    return true;
  }

  end(): void {
    this.#count -= 1;
    this.#descriptors.give(DESCRIPTORS);
    if (this.#count > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when there is none (any more). */
  async none(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}

/** The webspace and the forward of an external port as the cluster says now. */
export function forwardAt(
  directory: Directory,
  protocol: Protocol,
  external: number,
): { readonly view: WebspaceView; readonly port: PortForward } | undefined {
  const view = directory.byPort(protocol, external);
  const port = view?.ports.find((one) => one.protocol === protocol && one.external === external);
  return view && port ? { view, port } : undefined;
}

/** Counts a visitor that could not be served and says why in the log, unless the visitor has left or there were too many. */
export function turnedAway(
  { metrics, log }: ListenerParts,
  error: unknown,
  about: { readonly webspace: string; readonly port: string },
): void {
  const code = isPlatformError(error) ? error.code : 'unknown';
  if (code === 'CANCELLED') return;
  const reason = isPlatformError(error) ? error.details['reason'] : undefined;
  metrics.refused('port', typeof reason === 'string' ? reason : code);
  if (code !== 'RATE_LIMITED') log.info({ ...about, error: messageOf(error) }, 'visitor of a forwarded port turned away');
}
