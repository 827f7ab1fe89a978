import type { Comparison } from '#libs/contracts/activities.js';
import { workflowIdOf } from '#libs/contracts/ids.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { type Claim, type ClaimKind, claimsOf } from '#libs/domain/claims.js';
import { isWebspaceName } from '#libs/domain/names.js';
import {
  type ObservedInstance,
  type ObservedObjects,
  planProjection,
  statusChange,
  uidOfObject,
  unknownStatus,
} from '#libs/domain/projection.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { claimSpec } from '../kubernetes/claims.js';
import type { Lock } from '../kubernetes/lock.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { readInstance } from './observe.js';

/** A sweep removes no more than this share alone, and never less than five may be. */
const REMOVABLE_SHARE = 0.02;
const REMOVABLE_ALWAYS = 5;

interface ClaimObject {
  readonly kind: ClaimKind;
  readonly object: StoredObject;
}

/** Everything there is, read once: our objects first, LXD second. */
interface World {
  readonly objects: Map<string, ObservedObjects>;
  readonly locks: Map<string, Lock>;
  readonly claims: readonly ClaimObject[];
  readonly instances: Map<string, ObservedInstance>;
}

/** The comparison of all of LXD with all of Kubernetes. */
export function compareSteps(deps: Deps) {
  const { lxd, kube, locks, claims, projection, observer, installation, platform, runs, metrics } = deps;

  /** Says on every `Webspace` why it cannot be told what is true now; reroutes and removes nothing. */
  async function holdBack(
    objects: Map<string, ObservedObjects>,
    reason: string,
    message: string,
    claimsOpen: boolean,
    signal: AbortSignal,
  ): Promise<Comparison> {
    metrics.refused(reason);
    metrics.unreadable(objects.size);
    for (const { webspace } of objects.values()) await markUnknown(webspace, reason, message, signal);
    return { instances: 0, removed: 0, refusals: [message], toReconcile: [], toRestore: [], toDelete: [], complete: false, claimsOpen };
  }

  async function markUnknown(webspace: StoredObject | undefined, reason: string, message: string, signal: AbortSignal): Promise<void> {
    const status = statusChange(webspace, unknownStatus(reason, message));
    if (!webspace || !status) return;
    try {
      await projection.writeStatus(webspace, status, signal);
    } catch (error) {
      // Gone or written since: the next look tells.
      if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
    }
  }

  async function readInstances(signal: AbortSignal): Promise<Map<string, ObservedInstance>> {
    const list = await lxd.instances.list({ signal });
    return new Map(
      list.flatMap((instance) => {
        const observed = isWebspaceName(platform.instancePrefix, instance.name)
          ? readInstance(instance)
          : { is: 'not-a-webspace' as const };
        return observed.is === 'not-a-webspace' ? [] : [[instance.name, observed] as const];
      }),
    );
  }

  function isHeld(lock: Lock | undefined): Promise<string | undefined> {
    return lock ? locks.busyReason(lock) : Promise.resolve(undefined);
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

  /** A claim that no record names, that no operation is making, and whose webspace LXD says plainly is another or none. */
  async function isOrphanClaim({ kind, object }: ClaimObject, world: World, signal: AbortSignal): Promise<boolean> {
    const spec = claimSpec(object);
    if (spec.webspace === undefined || spec.uid === undefined) return false;
    const names = (instance: ObservedInstance | undefined) =>
      instance?.is === 'unknown' ||
      (instance?.is === 'present' &&
        instance.record.uid === spec.uid &&
        claimsOf(instance.record, platform.baseDomain).some((claim) => claim.kind === kind && claim.name === object.metadata.name));
    if (names(world.instances.get(spec.webspace))) return false;
    if (spec.operation && (await runs.isOpen(workflowIdOf('create', spec.webspace, spec.operation)))) return false;
    if (await isHeld(await locks.read(spec.webspace, signal))) return false;
    return !names(await observer.instance(spec.webspace, signal));
  }

  async function releaseClaim({ kind, object }: ClaimObject, signal: AbortSignal): Promise<void> {
    try {
      await claims.release(kind, object, signal);
    } catch (error) {
      if (!isPlatformError(error, 'STALE')) throw error;
    }
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
    const held = new Set(world.claims.map(({ kind, object }) => `${kind}/${object.metadata.name}/${claimSpec(object).uid}`));
    const repairs = { toReconcile: [] as string[], toRestore: [] as string[], toDelete: [] as string[], missingClaims: 0, unreadable: 0 };
    for (const [name, instance] of world.instances) {
      const lock = world.locks.get(name);
      if (instance.is === 'unknown') {
        repairs.unreadable++;
        await markUnknown(world.objects.get(name)?.webspace, instance.reason, instance.message, signal);
        continue;
      }
      if (instance.is !== 'present' || (await isHeld(lock))) continue;
      const { record } = instance;
      if (record.deletedBy !== undefined || lock?.deleted.some(({ uid }) => uid === record.uid)) {
        repairs.toDelete.push(name);
        continue;
      }
      const unseen = claimsOf(record, platform.baseDomain).filter((claim) => !held.has(`${claim.kind}/${claim.name}/${record.uid}`));
      const missing = unseen.length > 0 && claimsOpen ? await stillMissing(name, record, unseen, signal) : unseen;
      repairs.missingClaims += missing.length;
      const plan = planProjection(name, instance, world.objects.get(name) ?? {}, platform);
      if (plan.verdict === 'unknown') repairs.unreadable++;
      if (plan.verdict === 'restore' || missing.length > 0) repairs.toRestore.push(name);
      else if (plan.verdict !== 'nothing') repairs.toReconcile.push(name);
    }
    return repairs;
  }

  /** What nobody owns any more, within what a sweep may remove alone. */
  async function orphansOf(world: World, signal: AbortSignal) {
    const webspaces: string[] = [];
    const uids = new Set<string>();
    for (const [name, { webspace }] of world.objects) {
      const uid = uidOfObject(webspace);
      if (uid === undefined || world.instances.has(name)) continue;
      // Read now: a creation that began during the listing has its objects in it, but neither its lock nor its instance.
      if (await isHeld(await locks.read(name, signal))) continue;
      webspaces.push(name);
      uids.add(uid);
    }
    const orphanClaims: ClaimObject[] = [];
    for (const claim of world.claims) {
      if (!(await isOrphanClaim(claim, world, signal))) continue;
      orphanClaims.push(claim);
      uids.add(String(claimSpec(claim.object).uid));
    }
    const limit = Math.max(REMOVABLE_ALWAYS, Math.floor(world.objects.size * REMOVABLE_SHARE));
    const allowed = uids.size <= limit || (await installation.takeApproval(uids.size, signal));
    return { webspaces, claims: orphanClaims, count: uids.size, limit, allowed };
  }

  return {
    async compareAll(call: Call): Promise<Comparison> {
      const { signal } = call;
      const claimsOpen = await installation.claimsAreOpen(signal);
      const world = await readWorld(signal);
      if ('failed' in world) return holdBack(world.objects, 'LxdUnavailable', `LXD cannot be read: ${world.failed}`, claimsOpen, signal);
      if (!(await installation.isPinnedLxd(signal))) {
        return holdBack(
          world.objects,
          'AnotherLxd',
          'The LXD at this address is not the one this installation is pinned to (ConfigMap lxd-identity).',
          claimsOpen,
          signal,
        );
      }
      if (world.instances.size === 0 && [...world.objects.values()].filter(({ webspace }) => webspace).length > 1) {
        return holdBack(world.objects, 'EmptyList', 'LXD lists no webspace at all although there are some.', claimsOpen, signal);
      }
      const repairs = await repairsOf(world, claimsOpen, signal);
      metrics.unreadable(repairs.unreadable);
      if (repairs.missingClaims > 0 && claimsOpen) await installation.closeClaims(signal);
      const refusals: string[] = [];
      const orphans = await orphansOf(world, signal);
      let removed = 0;
      if (orphans.allowed) {
        for (const claim of orphans.claims) await releaseClaim(claim, signal);
        repairs.toReconcile.push(...orphans.webspaces);
        removed = orphans.count;
      } else {
        const message = `${orphans.count} webspaces seem to be gone, more than the ${orphans.limit} that a sweep removes alone. If that is right: kubectl create configmap sweep-removals-approved --from-literal=upTo=${orphans.count}`;
        refusals.push(message);
        metrics.refused('TooManyRemovals');
        for (const name of orphans.webspaces) await markUnknown(world.objects.get(name)?.webspace, 'TooManyRemovals', message, signal);
      }
      for (const { kind, object } of world.claims) if (kind === 'address') await claims.endRest(object, signal);
      for (const lock of world.locks.values()) await locks.forget(lock, signal);
      return {
        instances: world.instances.size,
        removed,
        refusals,
        toReconcile: repairs.toReconcile,
        toRestore: repairs.toRestore,
        toDelete: repairs.toDelete,
        complete: repairs.unreadable === 0,
        claimsOpen: claimsOpen && repairs.missingClaims === 0,
      };
    },

    async openClaims(call: Call): Promise<void> {
      await installation.openClaims(call.signal);
    },
  };
}
