import type { Acting } from '#libs/contracts/activities.js';
import type { ImportPlan } from '#libs/contracts/images.js';
import { evidenceOf } from '#libs/domain/image-evidence.js';
import { waitForImageOperations } from '../lxd/image-operations.js';
import type { Call } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';
import { basesInUse, removeImage } from './images.js';

/** The end of an import, good or bad. */
export function cleanUpSteps(deps: ImageDeps) {
  const { lxd, staging } = deps;

  /** An image that this import has made and nobody names or uses. */
  async function removeMade(call: Call): Promise<void> {
    await waitForImageOperations(call, lxd);
    const made = (await lxd.images.list({ signal: call.signal })).filter((image) => {
      const evidence = evidenceOf(image);
      return image.aliases.length === 0 && evidence?.operation === call.me.workflowId && !evidence.adopted;
    });
    if (made.length === 0) return;
    const inUse = await basesInUse(lxd, call.signal);
    for (const { fingerprint } of made) if (inUse && !inUse.has(fingerprint)) await removeImage(call, lxd, fingerprint);
  }

  return {
    async finishImport(call: Call, acting: Acting, plan: ImportPlan): Promise<void> {
      for (const { location } of plan.files) if (location.at === 'upload') await staging.removeUpload(location.id);
      await staging.removeImport(acting.name, acting.operationId);
      await deps.locks.releaseIfHeld(acting, call.me, call.signal);
    },

    async abandonImport(call: Call, acting: Acting): Promise<void> {
      await removeMade(call);
      await staging.removeImport(acting.name, acting.operationId);
      await deps.locks.releaseIfHeld(acting, call.me, call.signal);
    },
  };
}
