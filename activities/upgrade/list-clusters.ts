import type { ClusterActivities } from '#libs/contracts/upgrades.js';
import type { UpgradeDeps } from './deps.js';

export function listSteps({ clusters }: Pick<UpgradeDeps, 'clusters'>): ClusterActivities {
  return { listClusters: async () => clusters.names() };
}
