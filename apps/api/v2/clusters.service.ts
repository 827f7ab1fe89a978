import { Inject, Injectable } from '@nestjs/common';
import type { OperationKind } from '#libs/contracts/operations.js';
import { CLUSTER_LOOKS, clusterLockOf } from '#libs/contracts/upgrades.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Caller } from '#libs/identity/identity.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';

export interface ClusterList {
  readonly clusters: readonly ({ readonly name: string } & UnderWay)[];
}

/** One of the two at most: the lock is the same. */
interface UnderWay {
  readonly upgrade?: OperationSummary;
  readonly scaling?: OperationSummary;
}

export type ClusterState = ObservedCluster & UnderWay;

const RUNNING = 200;

/** Clusters of LXD members, as a worker sees them: the API itself reads nothing of them. For admins. */
@Injectable()
export class Clusters {
  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {}

  async list({ caller }: RequestContext): Promise<ClusterList> {
    assertAdmin(caller);
    const [names, running] = await both(this.#names(caller), this.#running());
    return {
      clusters: names.map((name) => ({ name, ...underWay(running.find(({ webspace }) => webspace === clusterLockOf(name))) })),
    };
  }

  /** @throws PlatformError NOT_FOUND, UNAVAILABLE when no worker answers. */
  async read({ caller }: RequestContext, cluster: string): Promise<ClusterState> {
    assertAdmin(caller);
    const { workflow, id } = CLUSTER_LOOKS.one;
    const request = { workflow, workflowId: id(cluster), args: [cluster], summary: `look at ${cluster}`, timeoutMs: this.#waitMs };
    const [observed, running] = await both(this.deps.operations.look<ObservedCluster>(request), this.runningOn(cluster));
    return { ...observed, ...underWay(running) };
  }

  /** The upgrade or scaling that is under way, if there is one; a second may pass until a new one is known. One that has just ended is not taken for it. */
  async runningOn(cluster: string): Promise<OperationSummary | undefined> {
    for (const listed of await this.#running(clusterLockOf(cluster))) {
      const found = await this.deps.operations.peek(listed.id);
      if (found.status === 'running') return found;
    }
    return undefined;
  }

  /** @throws PlatformError NOT_FOUND when no worker is configured for it. */
  async assertKnown({ caller }: RequestContext, cluster: string): Promise<void> {
    const names = await this.#names(caller);
    if (names.includes(cluster)) return;
    const known = names.length === 0 ? 'none is configured' : `there are ${names.join(', ')}`;
    throw new PlatformError('NOT_FOUND', `There is no cluster ${cluster}: ${known}. See \`clusters\` of the worker's configuration.`);
  }

  #names({ username }: Caller): Promise<readonly string[]> {
    const { workflow, id } = CLUSTER_LOOKS.list;
    const summary = `list the clusters, asked by ${username}`;
    return this.deps.operations.look({ workflow, workflowId: id(), args: [], summary, timeoutMs: this.#waitMs });
  }

  async #running(webspace?: string): Promise<readonly OperationSummary[]> {
    const of = (kind: OperationKind) =>
      this.deps.operations.list({ kind, status: 'running', limit: RUNNING, ...(webspace === undefined ? {} : { webspace }) });
    const [scalings, upgrades] = await both(of('scale'), of('upgrade'));
    return [...upgrades.operations, ...scalings.operations];
  }

  get #waitMs(): number {
    return this.deps.config.limits.waitSeconds * 1000;
  }
}

function underWay(running: OperationSummary | undefined): UnderWay {
  if (!running) return {};
  return running.kind === 'scale' ? { scaling: running } : { upgrade: running };
}

export function assertAdmin({ isAdmin }: Caller): void {
  if (!isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins see and change clusters.');
}

/** Both are waited for, also when one fails: no call may outlive its request. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}
