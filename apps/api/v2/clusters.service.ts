import { Inject, Injectable } from '@nestjs/common';
import { CLUSTER_LOOKS, clusterLockOf } from '#libs/contracts/upgrades.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Caller } from '#libs/identity/identity.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';

export interface ClusterList {
  readonly clusters: readonly { readonly name: string; readonly upgrade?: OperationSummary }[];
}

export type ClusterState = ObservedCluster & { readonly upgrade?: OperationSummary };

const RUNNING = 200;

/** Clusters of LXD members, as a worker sees them: the API itself reads nothing of them. For admins. */
@Injectable()
export class Clusters {
  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {}

  async list({ caller }: RequestContext): Promise<ClusterList> {
    assertAdmin(caller);
    const [names, running] = await both(this.#names(caller), this.#running());
    return {
      clusters: names.map((name) => {
        const upgrade = running.find(({ webspace }) => webspace === clusterLockOf(name));
        return { name, ...(upgrade ? { upgrade } : {}) };
      }),
    };
  }

  /** @throws PlatformError NOT_FOUND, UNAVAILABLE when no worker answers. */
  async read({ caller }: RequestContext, cluster: string): Promise<ClusterState> {
    assertAdmin(caller);
    const { workflow, id } = CLUSTER_LOOKS.one;
    const request = { workflow, workflowId: id(cluster), args: [cluster], summary: `look at ${cluster}`, timeoutMs: this.#waitMs };
    const [observed, upgrade] = await both(this.deps.operations.look<ObservedCluster>(request), this.runningUpgrade(cluster));
    return { ...observed, ...(upgrade ? { upgrade } : {}) };
  }

  /** The upgrade that is under way, if there is one; a second may pass until a new one is known. One that has just ended is not taken for it. */
  async runningUpgrade(cluster: string): Promise<OperationSummary | undefined> {
    const [listed] = await this.#running(clusterLockOf(cluster));
    const found = listed && (await this.deps.operations.peek(listed.id));
    return found?.status === 'running' ? found : undefined;
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
    const filter = { kind: 'upgrade', status: 'running', limit: RUNNING, ...(webspace === undefined ? {} : { webspace }) } as const;
    return (await this.deps.operations.list(filter)).operations;
  }

  get #waitMs(): number {
    return this.deps.config.limits.waitSeconds * 1000;
  }
}

export function assertAdmin({ isAdmin }: Caller): void {
  if (!isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins see and upgrade clusters.');
}

/** Both are waited for, also when one fails: no call may outlive its request. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}
