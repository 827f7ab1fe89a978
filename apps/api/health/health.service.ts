import { Inject, Injectable } from '@nestjs/common';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import { NextFlight } from '../reads/next-flight.js';

const PROBE_TIMEOUT_MS = 2000;
const BELIEVED_MS = 1000;

export interface DependencyHealth {
  readonly ok: boolean;
  /** Whether reads work without it. */
  readonly optional: boolean;
  readonly reason?: string;
}

export interface Health {
  readonly status: 'ready' | 'degraded' | 'not ready';
  readonly dependencies: Readonly<Record<'lxd' | 'temporal' | 'identity', DependencyHealth>>;
}

/** Whether the API can do its work. Without Temporal it still reads, so that it stays ready and only says so. */
@Injectable()
export class HealthService {
  readonly #flights = new NextFlight<Health>();
  #last: { readonly health: Health; readonly at: number } | undefined;

  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {}

  async health(): Promise<Health> {
    if (this.#last && Date.now() - this.#last.at < BELIEVED_MS) return this.#last.health;
    const health = await this.#flights.read('', () => this.#probe());
    this.#last = { health, at: Date.now() };
    return health;
  }

  /** @throws PlatformError UNAVAILABLE with the reasons. */
  async assertReady(): Promise<void> {
    const { status, dependencies } = await this.health();
    if (status !== 'not ready') return;
    const reasons = Object.entries(dependencies).flatMap(([name, { ok, optional, reason }]) =>
      ok || optional ? [] : [`${name}: ${reason}`],
    );
    throw new PlatformError('UNAVAILABLE', `Not ready. ${reasons.join(' ')}`);
  }

  async #probe(): Promise<Health> {
    const { lxd, operations, identity } = this.deps;
    const [lxdHealth, temporal, identityHealth] = await Promise.all([
      probe(false, () => lxd.server({ timeoutMs: PROBE_TIMEOUT_MS })),
      probe(true, () => operations.check()),
      probe(false, () => identity.check()),
    ]);
    const ready = lxdHealth.ok && identityHealth.ok;
    return {
      status: ready ? (temporal.ok ? 'ready' : 'degraded') : 'not ready',
      dependencies: { lxd: lxdHealth, temporal, identity: identityHealth },
    };
  }
}

async function probe(optional: boolean, check: () => Promise<unknown>): Promise<DependencyHealth> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PROBE_TIMEOUT_MS} ms`)), PROBE_TIMEOUT_MS);
  });
  try {
    await Promise.race([check(), late]);
    return { ok: true, optional };
  } catch (error) {
    return { ok: false, optional, reason: messageOf(error) };
  } finally {
    clearTimeout(timer);
  }
}
