import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { OfPlan, ProbeLeaseHold } from '#libs/contracts/upgrade-activities.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import { ProbeLeases } from './probe-leases.js';

/** A Lease is renewed several times in its duration, so that one request that fails costs nothing. */
const RENEWALS = 4;
const LONGEST_PAUSE_MS = 15_000;
const RETRY_MS = 1_000;

/** The Lease that makes members' probes lenient: taken before the first pod goes, renewed by one activity until it is let go. */
export function probeLeaseSteps({ clusters, locks, runs }: UpgradeDeps) {
  const leasesOf = (cluster: string) => new ProbeLeases({ kube: clusters.get(cluster).kube, runs });
  return {
    async takeProbeLease(call: Call, acting: Acting, { cluster }: OfPlan, hold: ProbeLeaseHold): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      await leasesOf(cluster).hold(hold.lease, { ...hold, holder: call.me.workflowId }, call.signal);
    },

    /**
     * Renews until it is cancelled. While Kubernetes is away it tries on, however long: members keep the last expiry they saw, and are strict
     * after it.
     */
    async holdProbeLease(call: Call, _acting: Acting, { cluster }: OfPlan, hold: ProbeLeaseHold): Promise<void> {
      const leases = leasesOf(cluster);
      const everyMs = Math.min((hold.seconds * 1000) / RENEWALS, LONGEST_PAUSE_MS);
      for (;;) {
        const renewed = await renew(call, () => leases.hold(hold.lease, { ...hold, holder: call.me.workflowId }, call.signal), hold);
        await pause(renewed ? everyMs : Math.min(everyMs, RETRY_MS), undefined, { signal: call.signal });
      }
    },

    async releaseProbeLease(call: Call, _acting: Acting, { cluster }: OfPlan, { lease }: Pick<ProbeLeaseHold, 'lease'>): Promise<void> {
      await leasesOf(cluster).release(lease, call.me.workflowId, call.signal);
    },
  };
}

/** Whether it is renewed. @throws what trying again does not help. */
async function renew(call: Call, write: () => Promise<void>, { lease }: ProbeLeaseHold): Promise<boolean> {
  try {
    await write();
    call.waiting(undefined);
    return true;
  } catch (error) {
    if (!isPlatformError(error) || !error.retryable) throw error;
    call.waiting({ waitingFor: `Lease ${lease} to be renewed: ${error.message}` });
    return false;
  }
}
