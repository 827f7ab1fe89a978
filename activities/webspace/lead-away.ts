import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { PORTS_STATUS_PATH, type PortsStatus } from '#libs/contracts/gateway.js';
import type { Published } from '#libs/domain/desired-objects.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { deadline } from '#libs/net/deadline.js';
import type { Target } from '#libs/net/dial.js';
import { pageIsGateways, readStatus, tlsIsGateways } from '#libs/net/gateway-probe.js';
import { resolveAll } from '#libs/net/resolve-all.js';
import type { Call } from '../shared/guard.js';

const EVERY_MS = 20;

interface Place {
  readonly host: string;
  readonly port: number;
}

export interface LeadAwayOptions {
  /** Traefik's HTTPS entry point, every replica of it; none: its change of routes is not waited for. */
  readonly entryPoints: readonly Place[];
  /** Health addresses of the `ports` gateways; none: their withdrawal is not waited for. */
  readonly portsGateways: readonly Place[];
  /** Longest wait for both together. */
  readonly waitSeconds: number;
  /** What requests under way have got to end. */
  readonly drainSeconds: number;
  readonly log: Logger;
}

/** A webspace that is about to stop. */
export interface Leaving extends Published {
  readonly name: string;
  readonly uid: string;
  readonly sniPassthrough: boolean;
}

/**
 * Before a planned stop, with the routes and the phase changed already: new visitors meet the gateway, by every replica of Traefik and every
 * forwarded port, and those under way have had a moment. Never fails because one of these is away: it waits no longer than it may.
 */
export class LeadAway {
  readonly #options: LeadAwayOptions;

  constructor(options: LeadAwayOptions) {
    this.#options = options;
  }

  async newVisitors(call: Call, leaving: Leaving): Promise<void> {
    const { entryPoints, portsGateways, waitSeconds, drainSeconds, log } = this.#options;
    const sites = leaving.hosts.length > 0 && entryPoints.length > 0;
    const ports = leaving.ports > 0 && portsGateways.length > 0;
    if (!sites && !ports) return;
    const limitMs = waitSeconds * 1000;
    call.waiting({ waitingFor: `visitors of ${leaving.name} to be led to the gateway`, deadline: inMs(limitMs) });
    const { signal, clear } = deadline(call.signal, limitMs);
    const led = await Promise.all([
      !sites || this.#everyTarget(entryPoints, (target) => routesLead(target, leaving, signal)),
      !ports || this.#portsWithdrawn(leaving, signal),
    ]).finally(clear);
    call.signal.throwIfAborted();
    if (led.includes(false))
      log.warn({ webspace: leaving.name, sites: led[0], ports: led[1] }, 'stops although not all visitors are led away');
    call.waiting({ waitingFor: `requests to ${leaving.name} to end`, deadline: inMs(drainSeconds * 1000) });
    await delay(drainSeconds * 1000, undefined, { signal: call.signal });
    call.waiting(undefined);
  }

  async #everyTarget(places: readonly Place[], isDone: (target: Target) => Promise<boolean>): Promise<boolean> {
    const targets = await this.#targets(places);
    return targets.length > 0 && (await Promise.all(targets.map(isDone))).every(Boolean);
  }

  /** The active one says so; which one that is may change meanwhile. */
  async #portsWithdrawn({ name, uid }: Leaving, signal: AbortSignal): Promise<boolean> {
    const targets = await this.#targets(this.#options.portsGateways);
    const withdrawn = async (target: Target) => {
      const status = (await readStatus(target, `${PORTS_STATUS_PATH}${name}`, signal).catch(() => undefined)) as PortsStatus | undefined;
      return status?.active === true && (status.uid !== uid || status.kernel.length === 0);
    };
    return until(async () => (await Promise.all(targets.map(withdrawn))).includes(true), signal);
  }

  async #targets(places: readonly Place[]): Promise<Target[]> {
    const found = await Promise.all(
      places.map((place) =>
        resolveAll(place).catch((error: unknown) => {
          this.#options.log.warn({ host: place.host, error: messageOf(error) }, 'address not found, so it is not asked');
          return [];
        }),
      ),
    );
    return found.flat();
  }
}

/** By this replica of Traefik every host leads to the gateway; with passthrough they have one route. */
async function routesLead(target: Target, { hosts, sniPassthrough }: Leaving, signal: AbortSignal): Promise<boolean> {
  const isGateways = sniPassthrough ? tlsIsGateways : pageIsGateways;
  for (const host of sniPassthrough ? hosts.slice(0, 1) : hosts) {
    if (!(await until(() => isGateways(target, host, signal), signal))) return false;
  }
  return true;
}

/** Whether it became true before the signal. */
async function until(isDone: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await isDone()) return true;
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
