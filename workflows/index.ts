// The only file the bundler is pointed at: every workflow type, by the name in libs/contracts/operations.ts.

export { accountPolicy } from './account/account-policy.js';
export { archiveWebspace } from './account/archive-webspace.js';
export { importImage } from './image/import-image.js';
export { watchImageSources } from './image/watch-image-sources.js';
export { scaleLxd8s } from './scale/scale-lxd8s.js';
export { listClusters, lookAtCluster } from './upgrade/look-at-cluster.js';
export { sweepClusters } from './upgrade/sweep-clusters.js';
export { upgradeLxd8s } from './upgrade/upgrade-lxd8s.js';
export { adoptWebspace, adoptWebspaces } from './webspace/adopt-webspaces.js';
export { bootWebspace } from './webspace/boot-webspace.js';
export {
  changeConfig,
  changeDomains,
  changePortForwards,
  changeWebspace,
  renameWebspace,
  resumeWebspace,
  suspendWebspace,
} from './webspace/change-webspace.js';
export { createWebspace } from './webspace/create-webspace.js';
export { deleteWebspace } from './webspace/delete-webspace.js';
export { idleStop } from './webspace/idle-stop.js';
export { memoryStop } from './webspace/memory-stop.js';
export { reconcileWebspace } from './webspace/reconcile-webspace.js';
export { restoreWebspace } from './webspace/restore-webspace.js';
export { rebootWebspace, shutdownWebspace } from './webspace/stop-webspace.js';
export { sweep } from './webspace/sweep.js';
export { verifyDomains } from './webspace/verify-domains.js';
