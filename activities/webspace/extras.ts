import type { Acting } from '#libs/contracts/activities.js';
import { uidOf } from '#libs/domain/record.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { withRootPassword, withShadowedRoot } from '#libs/linux/shadow.js';
import type { LxdFile } from '#libs/lxd/client-parts.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import { editFile, findFile } from '../lxd/edit-file.js';
import { Instances } from '../lxd/instances.js';
import { installSshServer } from '../lxd/ssh-server.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';

const ROOT = { uid: 0, gid: 0 } as const;
const KEYS_FOLDER = '/root/.ssh';

/** The steps of a creation that puts more into its webspace than the image; each acts on the stopped container by LXD's file API if it can. */
export function extraSteps(deps: Deps) {
  const { lxd, locks, sealing, platform } = deps;
  const instances = new Instances(lxd, platform);

  /** The instance that this creation has made, while it still may act on it. */
  async function mine(call: Call, acting: Acting): Promise<LxdInstance> {
    await locks.assertHeld(acting, call.me, call.signal);
    const found = await instances.find(acting.name, call.signal);
    if (!found || uidOf(found.value) !== acting.uid) throw gone(acting.name);
    return found.value;
  }

  /** A regular file that must be in the image for root to have a password. */
  async function accountFile(name: string, path: string, signal: AbortSignal): Promise<LxdFile> {
    const found = await findFile(lxd, name, path, signal);
    if (found?.type === 'file') return found;
    const why = found ? `is a ${found.type}` : 'is not there';
    const message = `password: the image cannot take a root password: ${path} ${why}. Leave the password out, or use another image.`;
    throw new PlatformError('INVALID_INPUT', message, { details: { field: 'password' } });
  }

  async function ensureFolder(name: string, path: string, signal: AbortSignal): Promise<void> {
    if (await findFile(lxd, name, path, signal)) return;
    await lxd.files.mkdir(name, path, { ...ROOT, mode: 0o700 }, { signal });
  }

  return {
    async setRootPassword(call: Call, acting: Acting, sealedHash: string): Promise<void> {
      const { name: instance } = await mine(call, acting);
      const { signal } = call;
      const hash = sealing.open(sealedHash, acting);
      const retry = call.attempt > 1;
      const edit = async (path: string, change: (content: Buffer) => Buffer) =>
        editFile(lxd, { instance, path, found: await accountFile(instance, path, signal), retry }, change, signal);
      await edit('/etc/shadow', (shadow) => withRootPassword(shadow, hash));
      await edit('/etc/passwd', withShadowedRoot);
    },

    async authorizeKey(call: Call, acting: Acting, sshKey: string): Promise<void> {
      const { name } = await mine(call, acting);
      await ensureFolder(name, '/root', call.signal);
      await ensureFolder(name, KEYS_FOLDER, call.signal);
      const file = { ...ROOT, mode: 0o600, content: Buffer.from(`${sshKey}\n`) };
      await lxd.files.put(name, `${KEYS_FOLDER}/authorized_keys`, file, { signal: call.signal });
    },

    async installSsh(call: Call, acting: Acting): Promise<{ readonly installed: 'with the image' | 'now' }> {
      return installSshServer(call, { lxd, instances }, await mine(call, acting));
    },

    async finishCreation(call: Call, acting: Acting): Promise<void> {
      await mine(call, acting);
      const there = await instances.rewrite(call, acting.name, acting.uid, (record) =>
        record.phase === 'ready' ? undefined : { ...record, phase: 'ready' },
      );
      if (!there) throw gone(acting.name);
    },
  };
}

function gone(name: string): PlatformError {
  return new PlatformError('CONFLICT', `The container of ${name} was removed while it was made.`, { details: { reason: 'gone' } });
}
