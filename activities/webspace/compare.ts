import type { Comparison } from '#libs/contracts/activities.js';
import { workflowIdOf } from '#libs/contracts/ids.js';
import { type Claim, claimKey, claimsOf } from '#libs/domain/claims.js';
import { isWebspaceName } from '#libs/domain/names.js';
import { type ObservedInstance, type ObservedObjects, planProjection, withheldOf } from '#libs/domain/projection.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { claimSpec } from '../kubernetes/claims.js';
import type { Lock } from '../kubernetes/lock.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import { readInstance } from './observe.js';
import { orphanSteps, removableAlone } from './orphans.js';
import { markUnknown, settledUids, type World } from './world.js';

/** Requests at once for what the list of instances does not tell. */
const LANES = 8;

/** The comparison of all of LXD with all of Kubernetes. */
export function compareSteps(deps: Deps) {
  const { lxd, kube, runs, locks, claims, projection, observer, installation, platform, metrics } = deps;
  const orphans = orphanSteps(deps);

  /** Says on every `Webspace` why it cannot be told what is true now; reroutes and removes nothing. */
  async function holdBack(
    objects: Map<string, ObservedObjects>,
    why: { readonly reason: string; readonly message: string },
    claimsOpen: boolean,
    signal: AbortSignal,
  ): Promise<Comparison> {
    metrics.refused(why.reason);
    metrics.unreadable(objects.size);
    for (const { webspace } of objects.values()) await markUnknown(projection, webspace, why, signal);
    return { instances: 0, removed: 0, refusals: [why.message], toReconcile: [], toRestore: [], toDelete: [], complete: false, claimsOpen };
  }

  async function readInstances(signal: AbortSignal): Promise<Map<string, ObservedInstance>> {
    const list = await lxd.instances.list({ signal });
    const webspaces = list.flatMap((instance) => {
      const observed = isWebspaceName(platform.instancePrefix, instance.name) ? readInstance(instance) : { is: 'not-a-webspace' as const };
      return observed.is === 'not-a-webspace' ? [] : [{ name: instance.name, observed }];
    });
    return new Map(
      await inLanes(webspaces, LANES, async ({ name, observed }) => [name, await observer.complete(name, observed, signal)] as const),
    );
  }

  function isHeld(lock: Lock | undefined): Promise<string | undefined> {
    return lock ? locks.busyReason(lock) : Promise.resolve(undefined);
  }

  /** A creation that was terminated left it half made. One whose lock was lost with all of Kubernetes may be open still, and undoes itself. */
  async function isAbandoned(name: string, { phase, createdBy }: WebspaceRecord): Promise<boolean> {
    return phase === 'creating' && !(await runs.isOpen(workflowIdOf('create', name, createdBy)));
  }

  /**
   * Claims were listed before the instances were: one that was made between the two is not missing, nor is one whose webspace was removed
   * since. Only what is really missing may close new claims for everybody.
   */
  async function stillMissing(name: string, { uid }: WebspaceRecord, missing: readonly Claim[], signal: AbortSignal): Promise<Claim[]> {
    const objects = await Promise.all(missing.map((claim) => kube.find(claim.kind, claim.name, { signal })));
    const left = missing.filter((_claim, i) => objects[i] === undefined || claimSpec(objects[i]).uid !== uid);
    if (left.length === 0) return [];
    const instance = await observer.instance(name, signal);
    return instance.is === 'present' && instance.record.uid === uid ? left : [];
  }

  async function readWorld(
    signal: AbortSignal,
  ): Promise<World | { readonly objects: Map<string, ObservedObjects>; readonly failed: string }> {
    const [objects, allLocks, allClaims] = await Promise.all([projection.readAll(signal), locks.readAll(signal), claims.all(signal)]);
    try {
      return { objects, locks: allLocks, claims: allClaims, instances: await readInstances(signal) };
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      return { objects, failed: error.message };
    }
  }

  /** What to do about the instances: restore, reconcile, or finish a delete. */
  async function repairsOf(world: World, claimsOpen: boolean, signal: AbortSignal) {
    const holders = new Map(world.claims.map(({ kind, object }) => [`${kind}/${object.metadata.name}`, claimSpec(object).uid]));
    const repairs = {
      toReconcile: [] as string[],
      toRestore: [] as string[],
      toDelete: [] as string[],
      missingClaims: 0,
      unreadable: 0,
      damaged: 0,
    };
    for (const [name, instance] of world.instances) {
      const lock = world.locks.get(name);
      if (instance.is === 'unknown') {
        repairs.unreadable++;
        // What a damaged record names nobody can restore until somebody corrects it: it must not stop the others' claims.
        if (instance.reason === 'RecordUnreadable') repairs.damaged++;
        await markUnknown(projection, world.objects.get(name)?.webspace, instance, signal);
        continue;
      }
      if (instance.is !== 'present' || (await isHeld(lock))) continue;
      const { record } = instance;
      if (record.deletedBy !== undefined || lock?.deleted.some(({ uid }) => uid === record.uid) || (await isAbandoned(name, record))) {
        repairs.toDelete.push(name);
        continue;
      }
      const withheld = withheldOf(world.objects.get(name)?.webspace, record, platform);
      const unseen = claimsOf(record, platform.baseDomain).filter((claim) => {
        const holder = holders.get(claimKey(claim));
        return holder !== record.uid && !(holder !== undefined && withheld.includes(claimKey(claim)));
      });
      const missing = unseen.length > 0 && claimsOpen ? await stillMissing(name, record, unseen, signal) : unseen;
      repairs.missingClaims += missing.length;
      const plan = planProjection(name, instance, world.objects.get(name) ?? {}, platform);
      if (plan.verdict === 'unknown' && instance.phase === 'unknown') repairs.unreadable++;
      if (plan.verdict === 'restore' || missing.length > 0) repairs.toRestore.push(name);
      else if (plan.verdict !== 'nothing') repairs.toReconcile.push(name);
    }
    return repairs;
  }

  /** Takes away what nobody owns, within what a sweep may remove alone or an admin has approved. */
  async function removeOrphans(world: World, approved: 'approved' | 'not yet', signal: AbortSignal) {
    const found = await orphans.find(world, signal);
    const limit = removableAlone(world);
    if (approved === 'approved' || found.count <= limit || (await installation.takeApproval(found.count, signal))) {
      await orphans.release(found.claims, signal);
      return { toReconcile: found.webspaces, removed: found.count, refusals: [], unreadable: found.unreadable };
    }
    const message = `${found.count} webspaces seem to be gone, more than the ${limit} that a sweep removes alone. ${installation.approvalHint(found.count)}`;
    metrics.refused('TooManyRemovals');
    for (const name of found.webspaces) {
      await markUnknown(projection, world.objects.get(name)?.webspace, { reason: 'TooManyRemovals', message }, signal);
    }
    return { toReconcile: [], removed: 0, refusals: [message], unreadable: found.unreadable };
  }

  /** Why LXD cannot be believed; undefined when it can, `approved` when an admin says that its empty list is right. */
  async function doubtOf(world: World, signal: AbortSignal): Promise<'approved' | { reason: string; message: string } | undefined> {
    if (!(await installation.isPinnedLxd(signal))) {
      const message = 'The LXD at this address is not the one this installation is pinned to (ConfigMap lxd-identity).';
      return { reason: 'AnotherLxd', message };
    }
    const known = settledUids(world).size;
    if (world.instances.size > 0 || known <= 1) return undefined;
    if (await installation.takeApproval(known, signal)) return 'approved';
    const message = `LXD lists no webspace at all although there are ${known}. ${installation.approvalHint(known)}`;
    return { reason: 'EmptyList', message };
  }

  return {
    async compareAll(call: Call): Promise<Comparison> {
      const { signal } = call;
      const claimsOpen = await installation.claimsAreOpen(signal);
      const world = await readWorld(signal);
      if ('failed' in world) {
        const why = { reason: 'LxdUnavailable', message: `LXD cannot be read: ${world.failed}` };
        return holdBack(world.objects, why, claimsOpen, signal);
      }
      const doubt = await doubtOf(world, signal);
      if (typeof doubt === 'object') return holdBack(world.objects, doubt, claimsOpen, signal);
      const repairs = await repairsOf(world, claimsOpen, signal);
      if (repairs.missingClaims > 0 && claimsOpen) await installation.closeClaims(signal);
      const removals = await removeOrphans(world, doubt ?? 'not yet', signal);
      await orphans.removeSecrets(world, signal);
      const unreadable = repairs.unreadable + removals.unreadable;
      metrics.unreadable(unreadable);
      for (const { kind, object } of world.claims) if (kind === 'address') await claims.endRest(object, signal);
      for (const lock of world.locks.values()) await locks.forget(lock, signal);
      return {
        instances: world.instances.size,
        removed: removals.removed,
        refusals: removals.refusals,
        toReconcile: [...repairs.toReconcile, ...removals.toReconcile],
        toRestore: repairs.toRestore,
        toDelete: repairs.toDelete,
        complete: unreadable === repairs.damaged,
        claimsOpen: claimsOpen && repairs.missingClaims === 0,
      };
    },

    async openClaims(call: Call): Promise<void> {
      await installation.openClaims(call.signal);
    },
  };
}
