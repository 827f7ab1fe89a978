import type { WebspaceActivities } from '#libs/contracts/activities.js';
import { accountSteps } from './account/accounts.js';
import { archiveSteps } from './account/archive.js';
import type { Deps } from './shared/deps.js';
import { guarded } from './shared/guard.js';
import { adoptSteps } from './webspace/adopt.js';
import { changeSteps } from './webspace/change.js';
import { compareSteps } from './webspace/compare.js';
import { createSteps } from './webspace/create.js';
import { domainSteps } from './webspace/domains.js';
import { extraSteps } from './webspace/extras.js';
import { idleSteps } from './webspace/idle.js';
import { memorySteps } from './webspace/memory.js';
import { reconcileSteps } from './webspace/reconcile.js';
import { removeSteps } from './webspace/remove.js';
import { restoreSteps } from './webspace/restore.js';
import { settleSteps } from './webspace/settle.js';
import { stateSteps } from './webspace/state.js';

/** Every activity of webspaces, by its name in Temporal UI. */
export function createWebspaceActivities(deps: Deps): WebspaceActivities {
  const create = createSteps(deps);
  const extras = extraSteps(deps);
  const state = stateSteps(deps);
  const remove = removeSteps(deps);
  const restore = restoreSteps(deps);
  const adopt = adoptSteps(deps);
  const domains = domainSteps(deps);
  const accounts = accountSteps(deps);
  return {
    makeWebspace: guarded(create.makeWebspace),
    setRootPassword: guarded(extras.setRootPassword),
    authorizeKey: guarded(extras.authorizeKey),
    installSsh: guarded(extras.installSsh),
    finishCreation: guarded(extras.finishCreation),
    changeRecord: guarded(changeSteps(deps).changeRecord),
    ensureProjection: guarded(restore.ensureProjection),
    settle: guarded(settleSteps(deps).settle),
    startInstance: guarded(state.startInstance),
    awaitReady: guarded(state.awaitReady),
    beginStop: guarded(state.beginStop),
    stopInstance: guarded(state.stopInstance),
    turnOff: guarded(state.turnOff),
    archiveInstance: guarded(archiveSteps(deps).archiveInstance),
    checkAccounts: guarded(accounts.checkAccounts),
    judgeAccounts: guarded(accounts.judgeAccounts),
    readForRestore: guarded(restore.readForRestore),
    restoreClaims: guarded(restore.restoreClaims),
    planAdoption: guarded(adopt.planAdoption),
    convertRecord: guarded(adopt.convertRecord),
    markDeleted: guarded(remove.markDeleted),
    takeOver: guarded(remove.takeOver),
    removeInstance: guarded(remove.removeInstance),
    removeObjects: guarded(remove.removeObjects),
    releaseLock: guarded(remove.releaseLock),
    reconcile: guarded(reconcileSteps(deps).reconcile),
    compareAll: guarded(compareSteps(deps).compareAll),
    proveDomains: guarded(domains.proveDomains),
    stillUnproved: guarded(domains.stillUnproved),
    checkDomains: guarded(domains.checkDomains),
    findIdle: guarded(idleSteps(deps).findIdle),
    findShortOfMemory: guarded(memorySteps(deps).findShortOfMemory),
    openClaims: guarded(compareSteps(deps).openClaims),
  };
}
