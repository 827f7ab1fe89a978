import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { createImageActivities } from '#activities/image/index.js';
import { createWebspaceActivities } from '#activities/index.js';
import { Claims } from '#activities/kubernetes/claims.js';
import { Locks } from '#activities/kubernetes/lock.js';
import { Projection } from '#activities/kubernetes/projection.js';
import { ReplacedMembers } from '#activities/lxd/replaced-members.js';
import { createScaleActivities } from '#activities/scale/index.js';
import type { Deps, SweepMetrics } from '#activities/shared/deps.js';
import { WorkflowRuns } from '#activities/shared/workflow-runs.js';
import { Clusters } from '#activities/upgrade/deps.js';
import { createClusterSweep, createUpgradeActivities } from '#activities/upgrade/index.js';
import type { ClusterSweepDeps } from '#activities/upgrade/sweep-clusters.js';
import { Installation } from '#activities/webspace/installation.js';
import { LeadAway } from '#activities/webspace/lead-away.js';
import { leadAwayFromMembers } from '#activities/webspace/members-visitors.js';
import { Observer } from '#activities/webspace/observe.js';
import { Owners } from '#activities/webspace/owners.js';
import type { WorkerConfig } from '#libs/config/worker.js';
import type { WebspaceActivities } from '#libs/contracts/activities.js';
import type { ImageActivities } from '#libs/contracts/images.js';
import type { ScaleActivities } from '#libs/contracts/scalings.js';
import type { ClusterSweepActivities } from '#libs/contracts/upgrades.js';
import { TxtResolver } from '#libs/dns/txt-resolver.js';
import { createGithub } from '#libs/github/create-github.js';
import { createIdentity } from '#libs/identity/create-identity.js';
import { ImageServers } from '#libs/images/image-servers.js';
import { Staging } from '#libs/images/staging.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { sealingFromFile } from '#libs/sealing/sealing.js';

/** Every activity of the worker, by name. */
export type Activities = WebspaceActivities &
  ImageActivities &
  ReturnType<typeof createUpgradeActivities> &
  ScaleActivities &
  ClusterSweepActivities;

export interface Assembled {
  readonly deps: Deps;
  readonly activities: Activities;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Everything the activities need, made from the configuration. */
export function assemble(
  config: WorkerConfig,
  client: Client,
  log: Logger,
  metrics: SweepMetrics & ClusterSweepDeps['metrics'],
): Assembled {
  const { platform, images } = config;
  const lxd = createLxdClient(config.lxd);
  const kube = new KubernetesClient(config.kubernetes);
  const runs = new WorkflowRuns(client);
  const locks = new Locks(kube, runs);
  const projection = new Projection(kube, platform);
  const identity = config.identity && createIdentity(config.identity);
  const owners = new Owners(identity?.directory, log);
  const deps: Deps = {
    lxd,
    kube,
    runs,
    locks,
    claims: new Claims(kube, platform),
    projection,
    leadAway: new LeadAway({ ...config.gateway, log }),
    observer: new Observer(lxd, locks, projection, owners),
    owners,
    installation: new Installation(kube, lxd),
    replacedMembers: new ReplacedMembers(lxd, locks, config.clusters.find(({ webspaces }) => webspaces)?.name),
    platform,
    // A key file that is missing, unreadable or open to others is found now, not by the first operation with a secret.
    sealing: sealingFromFile(config.sealing),
    txt: new TxtResolver(config.dns),
    domainGraceSeconds: config.domains.graceSeconds,
    accounts: { ...config.accounts, identity },
    idleStop: config.idleStop,
    memoryStop: config.memoryStop,
    log,
    metrics,
  };
  const github = createGithub(images.github);
  const servers = new ImageServers(images.servers);
  const staging = new Staging({ folder: images.stagingFolder, limitBytes: images.stagingBytes });
  const { profiles } = platform;
  const clusters = new Clusters(config.clusters, kube);
  const upgradeDeps = {
    locks,
    runs,
    clusters,
    leadAwayFromMembers: leadAwayFromMembers(deps),
    copiesFolder: config.clusterCopiesFolder,
    log,
  };
  const imageActivities = createImageActivities({ lxd, locks, runs, staging, github, servers, profiles, config: images });
  return {
    deps,
    activities: {
      ...createWebspaceActivities(deps),
      ...imageActivities,
      ...createClusterSweep({ clusters, locks, runs, log, metrics }),
      ...createUpgradeActivities(upgradeDeps),
      ...createScaleActivities(upgradeDeps),
    },
    close: async () => {
      await Promise.allSettled([lxd.close(), kube.close(), github.close(), servers.close(), clusters.close(), client.connection.close()]);
    },
  };
}
