import { workflowIdOf } from '#libs/contracts/ids.js';
import { KINDS } from '#libs/contracts/kubernetes-objects.js';
import { holdsOn } from '#libs/domain/claims.js';
import { type ObservedInstance, uidOfObject } from '#libs/domain/projection.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { type ClaimObject, claimSpec } from '../kubernetes/claims.js';
import type { Lock } from '../kubernetes/lock.js';
import type { Deps } from '../shared/deps.js';
import { markUnknown, type World } from './world.js';

/** A sweep removes no more than this share alone, and never less than five may be. */
const REMOVABLE_SHARE = 0.02;
const REMOVABLE_ALWAYS = 5;

export interface Orphans {
  readonly webspaces: readonly string[];
  readonly claims: readonly ClaimObject[];
  /** How many webspaces they belong to. */
  readonly count: number;
  /** Left out of LXD's list, and LXD does not tell what became of them. */
  readonly unreadable: number;
}

/** How many webspaces a sweep may take away without being asked to. */
export function removableAlone(world: World): number {
  return Math.max(REMOVABLE_ALWAYS, Math.floor(world.objects.size * REMOVABLE_SHARE));
}

/** What nobody owns any more. LXD's list is not enough for that: it may lack what a member that is away holds. */
export function orphanSteps({ kube, locks, claims, projection, observer, platform, runs }: Deps) {
  async function isHeld(lock: Lock | undefined): Promise<boolean> {
    return lock !== undefined && (await locks.busyReason(lock)) !== undefined;
  }

  /** A claim that no record names, that no operation is making, and whose webspace LXD says plainly is another or none. */
  async function isOrphanClaim({ kind, object }: ClaimObject, world: World, signal: AbortSignal): Promise<boolean> {
    const spec = claimSpec(object);
    if (spec.webspace === undefined || spec.uid === undefined) return false;
    const names = (instance: ObservedInstance | undefined) =>
      instance?.is === 'unknown' ||
      (instance?.is === 'present' &&
        instance.record.uid === spec.uid &&
        holdsOn(instance.record, { kind, name: object.metadata.name }, platform.baseDomain));
    if (names(world.instances.get(spec.webspace))) return false;
    if (spec.operation && (await runs.isOpen(workflowIdOf('create', spec.webspace, spec.operation)))) return false;
    if (await isHeld(await locks.read(spec.webspace, signal))) return false;
    return !names(await observer.instance(spec.webspace, signal));
  }

  return {
    async find(world: World, signal: AbortSignal): Promise<Orphans> {
      const webspaces: string[] = [];
      const uids = new Set<string>();
      let unreadable = 0;
      for (const [name, { webspace }] of world.objects) {
        const uid = uidOfObject(webspace);
        if (uid === undefined || world.instances.has(name)) continue;
        // Read now: a creation that began during the listing has its objects in it, but neither its lock nor its instance.
        if (await isHeld(await locks.read(name, signal))) continue;
        const instance = await observer.instance(name, signal);
        if (instance.is === 'unknown') {
          unreadable++;
          await markUnknown(projection, webspace, instance, signal);
        } else if (instance.is !== 'present') {
          webspaces.push(name);
          uids.add(uid);
        }
      }
      const orphanClaims: ClaimObject[] = [];
      for (const claim of world.claims) {
        if (!(await isOrphanClaim(claim, world, signal))) continue;
        orphanClaims.push(claim);
        uids.add(String(claimSpec(claim.object).uid));
      }
      return { webspaces, claims: orphanClaims, count: uids.size, unreadable };
    },

    /**
     * Removes Secrets of certificates whose webspace is gone: cert-manager may write one while its Certificate is being removed. What is
     * lost by mistake is issued anew.
     */
    async removeSecrets(world: World, signal: AbortSignal): Promise<void> {
      for (const [name, { webspace, furtherObjects = [] }] of world.objects) {
        const instance = world.instances.get(name);
        if (instance?.is === 'unknown' || world.locks.get(name)?.holder) continue;
        const known = [uidOfObject(webspace), instance?.is === 'present' ? instance.record.uid : undefined];
        for (const object of furtherObjects) {
          if (object.kind !== KINDS.secret.kind || known.includes(uidOfObject(object))) continue;
          const { name: secret, uid, resourceVersion } = object.metadata;
          await kube.delete('secret', secret, { uid, resourceVersion }, { signal }).catch((error: unknown) => {
            if (!isPlatformError(error, 'STALE')) throw error;
          });
        }
      }
    },

    /** Releases the claims as they were read; one that was written since is left to the next sweep. */
    async release(orphans: readonly ClaimObject[], signal: AbortSignal): Promise<void> {
      for (const { kind, object } of orphans) {
        try {
          await claims.release(kind, object, signal);
        } catch (error) {
          if (!isPlatformError(error, 'STALE')) throw error;
        }
      }
    },
  };
}
