import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { OfPlan, PodDeletion } from '#libs/contracts/upgrade-activities.js';
import { whyNotDeleted } from '#libs/domain/upgrade/deletion.js';
import { buildText, listed, sameBuild } from '#libs/domain/upgrade/wording.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '#libs/net/time-limit.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { makeSure } from './make-sure.js';
import { takenBack } from './merged-change.js';
import { buildOf, lxdContainer, observedStatefulSet, parsePod, parseStatefulSet } from './objects.js';
import { observe } from './observe.js';
import { whenPodsChange } from './pod-changes.js';
import { markReplacing, unmarkReplacing } from './replacing.js';
import { ensurePod, placePod } from './throw-away.js';

const POLL_MS = 500;
const SHOWN_SECONDS = 60;
const UNMARK_MS = 15_000;
/** Over the grace period of the pod, for a kubelet that is slow. */
const GRACE_SECONDS = 120;

export function deletePodsSteps(deps: UpgradeDeps) {
  const { clusters, locks } = deps;
  return {
    async deletePods(call: Call, acting: Acting, { cluster: name }: OfPlan, deletion: PodDeletion): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      const cluster = clusters.get(name);
      const find = () => settleAll(deletion.pods.map((pod) => cluster.kube.find('wholePod', pod, { signal: call.signal })));
      const untouched = (await find()).every((pod) => pod && isUntouched(pod, deletion, cluster));
      const revision = await told(untouched, () => revisionOf(cluster, deletion, call));
      const found = await find();
      const old = found.flatMap((pod) => (pod && revisionOfPod(pod) !== revision ? [pod] : []));
      if (old.length === 0) return;
      const fresh = old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const assertWanted = async () => {
        const back = await whyTakenBack(cluster, deletion, call);
        if (back !== undefined) throw new PlatformError('CONFLICT', `No pod is deleted. ${back}`);
        // Once some are deleted, what they held is not settled any more.
        if (fresh.length > 0) await assertStill(deps, call, acting, name, untouched ? deletion : { ...deletion, still: [] });
      };
      await told(untouched, assertWanted);
      const membersOf = (pods: readonly StoredObject[]) =>
        deletion.members.filter((_member, index) => pods.some(({ metadata }) => metadata.name === deletion.pods[index]));
      await markReplacing(deps, call, acting, membersOf(old));
      try {
        await told(untouched, async () => {
          await keepPlaces(cluster, call, acting, { deletion, pods: fresh });
          if (cluster.config.webspaces && fresh.length > 0) {
            await deps.leadAwayFromMembers(call, membersOf(fresh));
            // That may have taken a minute.
            await assertWanted();
          }
          // Read last: whoever lost the lock meanwhile deletes nothing.
          await locks.assertHeld(acting, call.me, call.signal);
        });
        await settleAll(
          fresh.map(({ metadata }) => cluster.kube.delete('wholePod', metadata.name, { uid: metadata.uid }, { signal: call.signal })),
        );
      } catch (error) {
        await unmarkKept();
        throw error;
      }
      await gone(cluster, old, call);

      /** Members that go on running are no longer waited for by boots, and their visitors are led back. */
      async function unmarkKept(): Promise<void> {
        const limited = { ...call, signal: timeLimit(UNMARK_MS) };
        try {
          const now = await settleAll(
            fresh.map(({ metadata }) => cluster.kube.find('wholePod', metadata.name, { signal: limited.signal })),
          );
          const kept = fresh.filter(
            ({ metadata }, at) => now[at]?.metadata.uid === metadata.uid && now[at]?.metadata.deletionTimestamp === undefined,
          );
          await unmarkReplacing(deps, limited, acting, membersOf(kept));
        } catch (error) {
          // The mark stays until the next try, or until a gate sees them serve.
          deps.log.warn({ members: membersOf(fresh), error: messageOf(error) }, 'members stay marked as being replaced');
        }
      }
    },
  };
}

/** Where a volume follows its pod, each next pod is to come up where its data is. */
async function keepPlaces(
  cluster: Cluster,
  { signal }: Call,
  { operationId }: Acting,
  { deletion, pods }: { readonly deletion: PodDeletion; readonly pods: readonly StoredObject[] },
): Promise<void> {
  const { kube, config } = cluster;
  if (config.storage.kind === 'unwatched') return;
  const template = await kube.get('statefulSet', config.statefulSet, { signal });
  const places = pods.flatMap((object) => {
    const { name } = object.metadata;
    const node = deletion.nodes?.[deletion.members[deletion.pods.indexOf(name)] ?? ''];
    if (node === undefined) return [];
    return [placePod(cluster, template, { operationId, image: lxdContainer(parsePod(object).spec, config).image, pod: name, node })];
  });
  await settleAll(places.map((place) => ensurePod(cluster, place, signal)));
}

/** The revision that new pods get, once the controller has seen the template that is there. */
async function revisionOf(cluster: Cluster, deletion: PodDeletion, call: Call): Promise<string> {
  const { kube, config } = cluster;
  const { build } = deletion;
  const { signal } = call;
  const deadline = Date.now() + SHOWN_SECONDS * 1000;
  for (;;) {
    const object = await kube.get('statefulSet', config.statefulSet, { signal });
    const { template, updateRevision } = observedStatefulSet(object, config);
    if (!sameBuild(template.build, build)) {
      const shows = `The template of ${config.statefulSet} shows ${buildText(template.build)}, not ${buildText(build)}: no pod is deleted.`;
      const back = await whyTakenBack(cluster, deletion, call);
      throw new PlatformError('CONFLICT', back === undefined ? shows : `${shows} ${back}`);
    }
    const { observedGeneration } = parseStatefulSet(object).status;
    if (updateRevision !== '' && observedGeneration >= (object.metadata.generation ?? 0)) return updateRevision;
    if (Date.now() >= deadline) {
      throw new PlatformError('UNAVAILABLE', `The controller has not seen the template of ${config.statefulSet} yet. Does it run?`);
    }
    call.waiting({ waitingFor: `the controller to see the template of ${config.statefulSet}`, deadline: new Date(deadline).toISOString() });
    await pause(POLL_MS, undefined, { signal });
  }
}

async function whyTakenBack({ way }: Cluster, { proposal }: PodDeletion, { signal }: Call): Promise<string | undefined> {
  return way && proposal ? takenBack({ way, proposal }, signal) : undefined;
}

async function assertStill(deps: UpgradeDeps, call: Call, { operationId }: Acting, cluster: string, deletion: PodDeletion): Promise<void> {
  if (deletion.quorum !== 'kept' && !deletion.still?.length) return;
  await makeSure(call, 'No pod is deleted.', async () => {
    const { observed } = await observe(deps, { cluster, operationId, images: 'left-out', signal: call.signal });
    return whyNotDeleted(observed, deletion);
  });
}

/** Not deleted yet, not even once. */
function isUntouched(pod: StoredObject, { build }: PodDeletion, { config }: Cluster): boolean {
  return pod.metadata.deletionTimestamp === undefined && !sameBuild(buildOf(lxdContainer(parsePod(pod).spec, config), config), build);
}

/** What fails before the first deletion says so: the way back is still what it was. */
async function told<T>(untouched: boolean, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!untouched || !isPlatformError(error)) throw error;
    throw new PlatformError(error.code, error.message, { cause: error, details: { ...error.details, deleted: 'none' } });
  }
}

/** Gone, or another pod of that name. */
async function gone({ kube }: Cluster, pods: readonly StoredObject[], call: Call): Promise<void> {
  const { signal } = call;
  const longest = Math.max(...pods.map((pod) => Number(parsePod(pod).spec['terminationGracePeriodSeconds'] ?? 30)));
  const deadline = Date.now() + (longest + GRACE_SECONDS) * 1000;
  await whenPodsChange(kube, signal, async (changed) => {
    for (;;) {
      const now = await settleAll(pods.map(({ metadata }) => kube.find('wholePod', metadata.name, { signal })));
      const left = pods.filter(({ metadata }, index) => now[index]?.metadata.uid === metadata.uid).map(({ metadata }) => metadata.name);
      if (left.length === 0) return;
      if (Date.now() >= deadline) {
        throw new PlatformError(
          'UNAVAILABLE',
          `${listed(left)} ${left.length === 1 ? 'is' : 'are'} still being stopped. Is the node away?`,
        );
      }
      call.waiting({ waitingFor: `${listed(left)} to be gone`, deadline: new Date(deadline).toISOString() });
      await changed(POLL_MS);
    }
  });
}

function revisionOfPod({ metadata }: StoredObject): string {
  return metadata.labels?.['controller-revision-hash'] ?? '';
}
