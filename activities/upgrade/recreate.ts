import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { OfPlan } from '#libs/contracts/upgrade-activities.js';
import type { UpgradeAction } from '#libs/domain/upgrade/actions.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { parseStatefulSet } from './objects.js';
import { isMemberPod } from './observe.js';

type Policy = Extract<UpgradeAction, { do: 'recreate-statefulset' }>['podManagementPolicy'];

const POLL_MS = 500;
/** The garbage collector takes the owner out of the pods first. */
const GONE_SECONDS = 120;
const OWNED_SECONDS = 60;

export function recreateSteps({ clusters, locks }: UpgradeDeps) {
  return {
    /**
     * The manifest is written down before the StatefulSet is deleted around its pods: whoever finds none makes it from there. It is forgotten
     * when the new one is there.
     */
    async recreateStatefulSet(
      call: Call,
      acting: Acting,
      { cluster: name }: OfPlan,
      { podManagementPolicy }: { readonly podManagementPolicy: Policy },
    ): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      const cluster = clusters.get(name);
      const { kube, config, remembered } = cluster;
      const found = await kube.find('statefulSet', config.statefulSet, { signal: call.signal });
      if (found && !found.metadata.deletionTimestamp && policyOf(found) === podManagementPolicy) {
        if (await remembered.statefulSet(call.signal)) await remembered.keepStatefulSet(undefined, call.signal);
        return;
      }
      if (found && !found.metadata.deletionTimestamp) await remembered.keepStatefulSet(found, call.signal);
      const kept = await remembered.statefulSet(call.signal);
      if (!kept) {
        throw new PlatformError(
          'NOT_FOUND',
          `StatefulSet ${config.statefulSet} is gone, and ConfigMap ${remembered.name} does not hold it. Create it again around its pods.`,
        );
      }
      if (found) await goneAroundItsPods(cluster, found, call);
      await createAgain(cluster, kept, podManagementPolicy, call.signal);
      await remembered.keepStatefulSet(undefined, call.signal);
    },
  };
}

async function goneAroundItsPods(cluster: Cluster, found: StoredObject, call: Call): Promise<void> {
  const { kube, config } = cluster;
  const { metadata } = found;
  const { signal } = call;
  // One that is being deleted already takes no pod as its own any more: the garbage collector takes it out of them.
  if (metadata.deletionTimestamp === undefined) await podsOwned(cluster, found, call);
  await kube.delete('statefulSet', config.statefulSet, { uid: metadata.uid }, { signal, dependents: 'Orphan' });
  const deadline = Date.now() + GONE_SECONDS * 1000;
  for (;;) {
    const now = await kube.find('statefulSet', config.statefulSet, { signal });
    if (now?.metadata.uid !== metadata.uid) return;
    if (Date.now() >= deadline) {
      throw new PlatformError('UNAVAILABLE', `StatefulSet ${config.statefulSet} is still being deleted. Does the controller manager run?`);
    }
    call.waiting({ waitingFor: `the old StatefulSet ${config.statefulSet} to be gone`, deadline: new Date(deadline).toISOString() });
    await pause(POLL_MS, undefined, { signal });
  }
}

/**
 * A StatefulSet that was made a moment ago takes its pods as its own some time later; one that does so while it is deleted takes them with it (the
 * garbage collector finds pods whose owner is gone).
 */
async function podsOwned({ kube, config }: Cluster, found: StoredObject, call: Call): Promise<void> {
  const { signal } = call;
  const { matchLabels } = parseStatefulSet(found).spec.selector;
  const deadline = Date.now() + OWNED_SECONDS * 1000;
  for (;;) {
    const pods = await kube.list('wholePod', { signal });
    const first = pods.find(
      (pod) =>
        isMemberPod(pod, config.statefulSet, matchLabels) &&
        pod.metadata.ownerReferences === undefined &&
        pod.metadata.deletionTimestamp === undefined,
    );
    if (!first) return;
    if (Date.now() >= deadline) {
      const text = `StatefulSet ${config.statefulSet} does not take pod ${first.metadata.name} as its own. Does the controller manager run?`;
      throw new PlatformError('UNAVAILABLE', text);
    }
    call.waiting({ waitingFor: `pod ${first.metadata.name} to be of its StatefulSet`, deadline: new Date(deadline).toISOString() });
    await pause(POLL_MS, undefined, { signal });
  }
}

async function createAgain({ kube, config }: Cluster, kept: StoredObject, policy: Policy, signal: AbortSignal): Promise<void> {
  try {
    await kube.create('statefulSet', manifestOf(kept, policy), { signal });
  } catch (error) {
    if (!isPlatformError(error, 'CONFLICT')) throw error;
    const there = await kube.get('statefulSet', config.statefulSet, { signal });
    if (policyOf(there) !== policy) {
      throw new PlatformError('STALE', `Somebody else has made StatefulSet ${config.statefulSet} meanwhile; looking again.`);
    }
  }
}

/** Makes the StatefulSet again that somebody was cut off from making anew, as it was; nothing when there is one, or none was written down. */
export async function ensureStatefulSet(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { kube, config, remembered } = cluster;
  if (await kube.find('statefulSet', config.statefulSet, { signal })) return;
  const kept = await remembered.statefulSet(signal);
  if (kept) await createAgain(cluster, kept, policyOf(kept), signal);
}

/** Without what the server gave it. */
function manifestOf(kept: StoredObject, podManagementPolicy: Policy): NewObject {
  const { name, labels, annotations } = kept.metadata;
  const spec = { ...(kept['spec'] as Record<string, unknown>), podManagementPolicy };
  return { metadata: { name, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) }, spec };
}

function policyOf(object: StoredObject): Policy {
  return parseStatefulSet(object).spec.podManagementPolicy;
}
