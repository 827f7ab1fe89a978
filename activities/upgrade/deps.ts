import type { ClusterConfig } from '#libs/config/clusters.js';
import { byName } from '#libs/domain/upgrade/wording.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createGitops } from '#libs/gitops/create-gitops.js';
import { createTemplateWay } from '#libs/gitops/create-template-way.js';
import type { TemplateWay } from '#libs/gitops/types.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { Logger } from '#libs/logging/logger.js';
import { RebuildProgress } from '#libs/longhorn/rebuild-progress.js';
import type { Locks } from '../kubernetes/lock.js';
import type { WorkflowRuns } from '../shared/workflow-runs.js';
import type { LeadAwayFromMembers } from '../webspace/members-visitors.js';
import { MemberLxd } from './member-lxd.js';
import { Remembered } from './remembered.js';

/** What the activities of upgrades work with; assembled once in apps/worker. */
export interface UpgradeDeps {
  readonly locks: Locks;
  readonly runs: Pick<WorkflowRuns, 'describe'>;
  readonly clusters: Clusters;
  /** Of the cluster in which the webspaces live. */
  readonly leadAwayFromMembers: LeadAwayFromMembers;
  /** Folder for copies from before an upgrade. */
  readonly copiesFolder: string;
  readonly log: Logger;
}

/** One cluster that may be upgraded. */
export interface Cluster {
  readonly config: ClusterConfig;
  /** Bound to the cluster's namespace. */
  readonly kube: KubernetesClient;
  readonly lxd: MemberLxd;
  readonly remembered: Remembered;
  readonly rebuilds: RebuildProgress;
  /** How the template is changed by pull requests; absent where it is changed here. */
  readonly way: TemplateWay | undefined;
}

/** The clusters of the configuration. Connects to none. */
export class Clusters {
  readonly #clusters: ReadonlyMap<string, Cluster>;

  constructor(configs: readonly ClusterConfig[], kube: KubernetesClient) {
    this.#clusters = new Map(configs.map((config) => [config.name, clusterOf(config, kube.in(config.namespace))]));
  }

  all(): readonly Cluster[] {
    return [...this.#clusters.values()];
  }

  /** @throws NOT_FOUND when none of that name is configured. */
  get(name: string): Cluster {
    const cluster = this.#clusters.get(name);
    if (cluster) return cluster;
    const known = [...this.#clusters.keys()].join(', ') || 'none';
    throw new PlatformError('NOT_FOUND', `No cluster ${name} is configured for this worker (known: ${known}). See \`clusters\`.`, {
      details: { field: 'cluster' },
    });
  }

  /** Sorted. */
  names(): string[] {
    return [...this.#clusters.keys()].sort(byName);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#clusters.values()].map(({ way }) => way?.close()));
  }
}

function clusterOf(config: ClusterConfig, kube: KubernetesClient): Cluster {
  const lxd = new MemberLxd(kube, config);
  const { way } = config;
  return {
    config,
    kube,
    lxd,
    remembered: new Remembered(kube, config.statefulSet),
    rebuilds: new RebuildProgress(),
    way: way.kind === 'gitops' ? createTemplateWay(way, createGitops(way.github)) : undefined,
  };
}
