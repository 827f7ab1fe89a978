import type { ScaleActivities } from '#libs/contracts/scalings.js';
import { guarded } from '../shared/guard.js';
import type { UpgradeDeps } from '../upgrade/deps.js';
import { changeScaleSteps } from './change.js';
import { planScaleSteps } from './plan.js';
import { watchScaleSteps } from './watch-scale-gate.js';

/** Every activity of scalings, beside those of upgrades. */
export function createScaleActivities(deps: UpgradeDeps): ScaleActivities {
  const plan = planScaleSteps(deps);
  const change = changeScaleSteps(deps);
  return {
    prepareScale: guarded(plan.prepareScale),
    planScale: guarded(plan.planScale),
    confirmScale: guarded(plan.confirmScale),
    planScaleBack: guarded(plan.planScaleBack),
    watchScaleGate: guarded(watchScaleSteps(deps).watchScaleGate),
    setReplicas: guarded(change.setReplicas),
    removeMember: guarded(change.removeMember),
    deleteClaims: guarded(change.deleteClaims),
  };
}
