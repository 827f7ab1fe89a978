import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Acting } from '#libs/contracts/activities.js';
import { parseWorkflowId, workflowIdOf } from '#libs/contracts/ids.js';
import type { ImportPlan } from '#libs/contracts/images.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';

/** LXD keeps the file and unpacks it; how large that becomes nobody says beforehand. */
const UNPACKED = 3;
const MB = 1_000_000;

/** Whether what is going to be imported fits. */
export function spaceSteps({ staging, lxd, runs, profiles, config }: ImageDeps) {
  const isOpen = (name: string, operationId: string) => {
    const workflowId = workflowIdOf('import', name, operationId);
    return parseWorkflowId(workflowId) ? runs.isOpen(workflowId) : Promise.resolve(false);
  };

  async function checkStaging(acting: Acting, plan: ImportPlan): Promise<void> {
    const folder = await staging.importFolder(acting.name, acting.operationId);
    const uploads = plan.files.every(({ location }) => location.at === 'upload');
    const have = await Promise.all(
      plan.files.map(({ role }) =>
        stat(join(folder, role)).then(
          (file) => file.size,
          () => 0,
        ),
      ),
    );
    const missing = sizeOf(plan) - have.reduce((sum, size) => sum + size, 0);
    if (uploads || missing <= 0) return;
    const { bavail, bsize } = await statfs(folder);
    assertRoom('The disk of the staging folder', missing, bavail * bsize);
    const room = config.stagingBytes - (await staging.usedBytes(acting));
    assertRoom('The staging folder (images.stagingBytes)', sizeOf(plan), room);
  }

  /** The pool of new instances, on every member that is there. */
  async function checkPool(plan: ImportPlan, signal: AbortSignal): Promise<void> {
    const pool = await lxd.storage.rootPool(profiles, { signal });
    const members = (await lxd.cluster.members({ signal })).filter(({ status }) => status === 'Online');
    const names = members.length === 0 ? [undefined] : members.map(({ server_name }) => server_name);
    for (const member of names) {
      const { total, used } = await lxd.storage.space(pool, { signal, ...(member === undefined ? {} : { member }) });
      assertRoom(`LXD's storage pool ${pool}${member === undefined ? '' : ` on ${member}`}`, sizeOf(plan) * UNPACKED, total - used);
    }
  }

  return {
    async checkSpace(call: Call, acting: Acting, plan: ImportPlan): Promise<void> {
      await staging.sweepImports(isOpen);
      await checkStaging(acting, plan);
      await checkPool(plan, call.signal);
    },
  };
}

function sizeOf({ files }: ImportPlan): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function assertRoom(where: string, neededBytes: number, freeBytes: number): void {
  if (freeBytes >= neededBytes) return;
  const mb = (bytes: number) => `${Math.ceil(Math.max(0, bytes) / MB)} MB`;
  throw new PlatformError(
    'OPERATION_FAILED',
    `${where} has ${mb(freeBytes)} left, and the import needs ${mb(neededBytes)}. Free some space.`,
    {
      details: { reason: 'no-space', neededBytes, freeBytes: Math.max(0, freeBytes) },
    },
  );
}
