import type { UpgradeActivities } from '../../libs/contracts/upgrade-activities.js';
import { type ClusterActivities, clusterLockOf, LOOK_SECONDS } from '../../libs/contracts/upgrades.js';
import type { ObservedCluster } from '../../libs/domain/upgrade/observed.js';
import { proxiesOf } from '../shared/activities.js';

/** Somebody waits for the answer: it tries again for a moment only. */
const times = { startToCloseTimeout: '30 seconds', scheduleToCloseTimeout: `${LOOK_SECONDS - 10} seconds` } as const;
const look = proxiesOf<Pick<UpgradeActivities, 'observeCluster'> & ClusterActivities>(times);

/** The cluster as it is now; changes nothing and takes no lock. */
export async function lookAtCluster(cluster: string): Promise<ObservedCluster> {
  const acting = { kind: 'upgrade', name: clusterLockOf(cluster), operationId: 'look', uid: '' } as const;
  return await look(`Look at ${cluster}`).observeCluster(acting, cluster);
}

/** The clusters that may be upgraded. */
export async function listClusters(): Promise<readonly string[]> {
  return await look('List the clusters').listClusters();
}
