import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { ImageLock, ImportImageInput, ImportImageResult } from '#libs/contracts/images.js';
import { API_GROUP } from '#libs/contracts/webspaces-api.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call, Holder } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';

const ALIAS = `${API_GROUP}/alias`;
const WISH = `${API_GROUP}/wish`;
const WAIT_MS = 6 * 3_600_000;
const POLL_MS = 1_000;

/** The lock of an alias: a Lease as that of a webspace, with the alias and what is wanted in annotations. */
export function lockSteps({ locks, runs }: ImageDeps) {
  return {
    async takeImageLock(call: Call, acting: Acting, input: ImportImageInput): Promise<ImageLock> {
      const wish = wishOf(input);
      const deadline = Date.now() - call.sinceMs() + WAIT_MS;
      for (;;) {
        const acquired = await locks.acquire(acting, call.me, call.signal, { [ALIAS]: input.alias, [WISH]: wish });
        if ('lock' in acquired) return { taken: true };
        const { held, busy, ended } = acquired;
        if (!ended && held.holder && held.lease.metadata.annotations?.[WISH] === wish) return { joins: held.holder };
        if (Date.now() >= deadline) {
          throw new PlatformError(
            'UNAVAILABLE',
            `Another import of ${input.alias} takes too long: ${busy}. Try again, or cancel that one.`,
          ).final();
        }
        call.waiting({ waitingFor: busy, deadline: new Date(deadline).toISOString() });
        await pause(POLL_MS, undefined, { signal: call.signal });
      }
    },

    async awaitImport(call: Call, run: Holder): Promise<ImportImageResult> {
      call.waiting({ waitingFor: `${run.workflowId} to end` });
      while ((await runs.describe(run)).is === 'open') await pause(POLL_MS, undefined, { signal: call.signal });
      return runs.result<ImportImageResult>(run);
    },
  };
}

/** Equal for imports that bring the same. */
function wishOf({ source, architecture = '' }: ImportImageInput): string {
  const sorted = Object.entries(source).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([sorted, architecture]))
    .digest('hex')
    .slice(0, 32);
}
