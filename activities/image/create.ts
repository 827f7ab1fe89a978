import { join } from 'node:path';
import type { Acting } from '#libs/contracts/activities.js';
import type { FetchedImage, ImportImageInput, ImportPlan } from '#libs/contracts/images.js';
import type { Requester } from '#libs/contracts/operations.js';
import { adoptionPropertiesOf, evidenceOf, evidencePropertiesOf } from '#libs/domain/image-evidence.js';
import { oldVersionsOf } from '#libs/domain/image-versions.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdImage, Versioned } from '#libs/lxd/types.js';
import { waitForImageOperations } from '../lxd/image-operations.js';
import { waitFor } from '../lxd/operations-on.js';
import type { Call } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';
import { basesInUse, removeImage } from './images.js';

interface NewImage {
  readonly input: ImportImageInput;
  readonly plan: ImportPlan;
  readonly fetched: FetchedImage;
  readonly approvedBy?: Requester;
}

/** The image in LXD, its alias, and the versions before it. */
export function createSteps({ lxd, locks, staging, config }: ImageDeps) {
  async function find(fingerprint: string, signal: AbortSignal): Promise<Versioned<LxdImage> | undefined> {
    try {
      return await lxd.images.getVersioned(fingerprint, { signal });
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** An image of the same bytes that came another way gets the evidence, too; evidence that is there stays. */
  async function adopt({ value, etag }: Versioned<LxdImage>, evidence: Record<string, string>, signal: AbortSignal): Promise<void> {
    if (evidenceOf(value) !== undefined) return;
    await lxd.images.patchProperties(value.fingerprint, adoptionPropertiesOf(evidence), { etag, signal });
  }

  async function upload(call: Call, acting: Acting, fingerprint: string, properties: Record<string, string>): Promise<void> {
    const folder = await staging.importFolder(acting.name, acting.operationId);
    const source = { metadata: join(folder, 'metadata'), rootfs: join(folder, 'rootfs') };
    call.waiting({ waitingFor: 'LXD: sending the files' });
    const operation = await lxd.images.import(source, { properties, signal: call.signal });
    await waitFor(call, operation, 'importing the image');
    if (await find(fingerprint, call.signal)) return;
    // Other bytes than those that were verified: the files were changed meanwhile.
    const made = (await lxd.images.list({ signal: call.signal })).filter((image) => evidenceOf(image)?.operation === call.me.workflowId);
    for (const image of made) await removeImage(call, lxd, image.fingerprint);
    throw new PlatformError('PROTOCOL', `LXD made an image of other bytes than ${fingerprint}; it was removed.`, {
      details: { reason: 'digest' },
    });
  }

  return {
    async createImage(call: Call, acting: Acting, image: NewImage): Promise<'created' | 'adopted'> {
      const { signal } = call;
      const { fingerprint } = image.fetched;
      await locks.assertHeld(acting, call.me, signal);
      if (call.attempt > 1) await waitForImageOperations(call, lxd);
      const evidence = evidencePropertiesOf({ ...image, operation: call.me.workflowId, importedAt: new Date() });
      const found = await find(fingerprint, signal);
      if (found) {
        await adopt(found, evidence, signal);
        const known = evidenceOf(found.value);
        return known?.operation === call.me.workflowId && !known.adopted ? 'created' : 'adopted';
      }
      await upload(call, acting, fingerprint, evidence);
      return 'created';
    },

    async moveAlias(call: Call, acting: Acting, alias: string, fingerprint: string): Promise<{ readonly previous?: string }> {
      const { signal } = call;
      await locks.assertHeld(acting, call.me, signal);
      const previous = await lxd.images.resolveAlias(alias, { signal }).catch((error: unknown) => {
        if (isPlatformError(error, 'NOT_FOUND')) return undefined;
        throw error;
      });
      if (previous === undefined) await lxd.images.createAlias(alias, fingerprint, { signal });
      else if (previous !== fingerprint) await lxd.images.updateAlias(alias, fingerprint, { signal });
      return previous === undefined || previous === fingerprint ? {} : { previous };
    },

    async removeOldVersions(call: Call, acting: Acting, alias: string, keep: number | undefined): Promise<readonly string[]> {
      await locks.assertHeld(acting, call.me, call.signal);
      const inUse = await basesInUse(lxd, call.signal);
      // Of an instance that cannot be read nobody knows what it is made of.
      if (inUse === undefined) return [];
      const old = oldVersionsOf(alias, await lxd.images.list({ signal: call.signal }), { keep: keep ?? config.keep, inUse });
      for (const { fingerprint } of old) await removeImage(call, lxd, fingerprint);
      return old.map(({ fingerprint }) => fingerprint);
    },
  };
}
