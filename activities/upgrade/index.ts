import type { UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import type { ClusterActivities, ClusterSweepActivities } from '#libs/contracts/upgrades.js';
import { guarded } from '../shared/guard.js';
import { clusterLockSteps } from './cluster-lock.js';
import { copiesSteps } from './copies.js';
import { deletePodsSteps } from './delete-pods.js';
import type { UpgradeDeps } from './deps.js';
import { evacuateSteps } from './evacuate.js';
import { listSteps } from './list-clusters.js';
import { planSteps } from './plan.js';
import { prepareSteps } from './prepare.js';
import { probeLeaseSteps } from './probe-lease.js';
import { probeTargetSteps } from './probe-target.js';
import { proposalSteps } from './proposals.js';
import { recreateSteps } from './recreate.js';
import { type ClusterSweepDeps, clusterSweepSteps } from './sweep-clusters.js';
import { templateSteps } from './template.js';
import { watchSteps } from './watch-gate.js';

/** Every activity of upgrades, as the worker registers it. */
export function createUpgradeActivities(deps: UpgradeDeps): UpgradeActivities & ClusterActivities {
  const plan = planSteps(deps);
  const lock = clusterLockSteps(deps);
  const target = probeTargetSteps(deps);
  const template = templateSteps(deps);
  const lease = probeLeaseSteps(deps);
  const proposals = proposalSteps(deps);
  const evacuate = evacuateSteps(deps);
  return {
    prepareUpgrade: guarded(prepareSteps(deps).prepareUpgrade),
    takeClusterLock: guarded(lock.takeClusterLock),
    finishUpgrade: guarded(lock.finishUpgrade),
    pullImages: guarded(target.pullImages),
    probeTargetVersion: guarded(target.probeTargetVersion),
    planUpgrade: guarded(plan.planUpgrade),
    confirmPlan: guarded(plan.confirmPlan),
    planWayBack: guarded(plan.planWayBack),
    listClusters: listSteps(deps).listClusters,
    observeCluster: guarded(plan.observeCluster),
    watchGate: guarded(watchSteps(deps).watchGate),
    saveCopies: guarded(copiesSteps(deps).saveCopies),
    patchTemplate: guarded(template.patchTemplate),
    setUpdateStrategy: guarded(template.setUpdateStrategy),
    proposeTemplate: guarded(proposals.proposeTemplate),
    watchProposal: guarded(proposals.watchProposal),
    withdrawProposal: guarded(proposals.withdrawProposal),
    recreateStatefulSet: guarded(recreateSteps(deps).recreateStatefulSet),
    takeProbeLease: guarded(lease.takeProbeLease),
    holdProbeLease: guarded(lease.holdProbeLease),
    releaseProbeLease: guarded(lease.releaseProbeLease),
    evacuateMember: guarded(evacuate.evacuateMember),
    restoreMember: guarded(evacuate.restoreMember),
    deletePods: guarded(deletePodsSteps(deps).deletePods),
  };
}

/** The activity of the sweep of clusters. */
export function createClusterSweep(deps: ClusterSweepDeps): ClusterSweepActivities {
  return { sweepClusters: guarded(clusterSweepSteps(deps).sweepClusters) };
}
