import type { ClusterSweep, ClusterSweepActivities } from '../../libs/contracts/upgrades.js';
import { proxiesOf } from '../shared/activities.js';
import { Operation } from '../shared/step.js';

const quick = proxiesOf<ClusterSweepActivities>({ startToCloseTimeout: '5 minutes', scheduleToCloseTimeout: '10 minutes' });

/** Repairs what upgrades that ended without their last steps have left on clusters of LXD members. */
export async function sweepClusters(): Promise<readonly ClusterSweep[]> {
  const operation = new Operation();
  return operation.run(() =>
    operation.step('repair', 'Leases, probes and throw-away pods', () => quick('Look after the clusters').sweepClusters()),
  );
}
