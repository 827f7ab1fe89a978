import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { LOCK_GRACE_MS } from '../kubernetes/lock.js';
import type { Call } from '../shared/guard.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { forgetProbes } from './template.js';
import { removePod } from './throw-away.js';

const POLL_MS = 1_000;

/** One upgrade or scaling per cluster: the lock of webspaces, under the cluster's name. */
export function clusterLockSteps({ clusters, locks }: UpgradeDeps) {
  return {
    async takeClusterLock(call: Call, acting: Acting, cluster: string): Promise<void> {
      clusters.get(cluster);
      const deadline = Date.now() + 2 * LOCK_GRACE_MS;
      for (;;) {
        const acquired = await locks.acquire(acting, call.me, call.signal);
        if ('lock' in acquired) return;
        if (!acquired.ended || Date.now() >= deadline) {
          throw new PlatformError('CONFLICT', `${cluster} is being worked on already: ${acquired.busy}.`, {
            details: { reason: 'busy' },
          });
        }
        call.waiting({ waitingFor: acquired.busy, deadline: new Date(deadline).toISOString() });
        await pause(POLL_MS, undefined, { signal: call.signal });
      }
    },

    async finishUpgrade(call: Call, acting: Acting, name: string): Promise<void> {
      const cluster = clusters.get(name);
      const labelSelector = `${UPGRADE_KEYS.operation}=${acting.operationId}`;
      const pods = await cluster.kube.list('wholePod', { labelSelector, signal: call.signal });
      for (const pod of pods) await removePod(cluster, pod, call.signal);
      if (cluster.way) await forgetMergedProbes(cluster, call.signal);
      await locks.releaseIfHeld(acting, call.me, call.signal);
    },
  };
}

/** Where the template goes by pull requests nobody of us has written it when it had its probes again. */
async function forgetMergedProbes(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const object = await cluster.kube.find('statefulSet', cluster.config.statefulSet, { signal });
  if (object) await forgetProbes(cluster, object, signal);
}
