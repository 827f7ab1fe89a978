import type { Acting, Busy } from '#libs/contracts/activities.js';
import type { ArchiveWebspaceResult } from '#libs/contracts/operations.js';
import { archiveAliasOf, archivePropertiesOf, isArchiveOf } from '#libs/domain/archive.js';
import { isSuspendedByAccount } from '#libs/domain/suspension.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdImage } from '#libs/lxd/types.js';
import { waitForImageOperations } from '../lxd/image-operations.js';
import { Instances } from '../lxd/instances.js';
import { waitFor } from '../lxd/operations-on.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { takeWebspace } from '../webspace/take.js';

/** Keeps what a webspace holds beyond the webspace. */
export function archiveSteps(deps: Deps) {
  const { lxd, platform } = deps;
  const instances = new Instances(lxd, platform);

  async function archiveOf(uid: string, signal: AbortSignal): Promise<LxdImage | undefined> {
    return (await lxd.images.list({ signal })).find((image) => isArchiveOf(image, uid));
  }

  async function ensureAlias(alias: string, image: LxdImage, signal: AbortSignal): Promise<void> {
    if (image.aliases.some(({ name }) => name === alias)) return;
    await lxd.images.createAlias(alias, image.fingerprint, { signal });
  }

  return {
    async archiveInstance(call: Call, acting: Acting): Promise<ArchiveWebspaceResult | Busy> {
      const { name } = acting;
      const { signal } = call;
      const taken = await takeWebspace(deps, call, acting);
      if ('busy' in taken) return taken;
      const { record, found } = taken;
      if (!isSuspendedByAccount(record.policy)) {
        throw new PlatformError('CONFLICT', `${name} is not suspended because of its account: it is not archived.`);
      }
      const alias = archiveAliasOf(name, record.uid);
      if (call.attempt > 1) await waitForImageOperations(call, lxd);
      let image = await archiveOf(record.uid, signal);
      if (!image) {
        await instances.stop(call, name, 0);
        const properties = archivePropertiesOf(name, record, found.value.config, new Date());
        await waitFor(call, await lxd.images.publish(name, { aliases: [alias], properties, signal }), `packing ${name}`);
        image = await archiveOf(record.uid, signal);
        if (!image) throw new PlatformError('PROTOCOL', `LXD packed ${name}, and does not list its image.`);
      }
      await ensureAlias(alias, image, signal);
      return { name, uid: record.uid, owner: record.owner.id, alias, fingerprint: image.fingerprint };
    },
  };
}
