import type { Acting } from '#libs/contracts/activities.js';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { OperationKind } from '#libs/contracts/operations.js';
import { API_GROUP, LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { Holder } from '../shared/guard.js';
import type { WorkflowRuns } from '../shared/workflow-runs.js';

/** After its workflow is closed an activity may still act until its heartbeat or its longest request (LXD's 40 s) times out. */
export const LOCK_GRACE_MS = 45_000;
const TOMBSTONE_MS = 3_600_000;
const RACES = 8;

const KEYS = {
  kind: `${API_GROUP}/kind`,
  operation: `${API_GROUP}/operation`,
  uid: `${API_GROUP}/uid`,
  deleted: `${API_GROUP}/deleted`,
  lookAgain: `${API_GROUP}/look-again`,
} as const;

interface Tombstone {
  readonly uid: string;
  readonly by: string;
  readonly at: string;
}

/** The Lease named as the webspace, read. */
export interface Lock {
  readonly lease: StoredObject;
  readonly holder: Holder | undefined;
  readonly kind: OperationKind | undefined;
  readonly uid: string;
  readonly deleted: readonly Tombstone[];
  readonly lookAgain: boolean;
}

export type Acquired =
  | { readonly lock: Lock }
  /** `ended`: its run is closed, and only its last requests may still be under way. */
  | { readonly busy: string; readonly kind: OperationKind | undefined; readonly ended: boolean; readonly held: Lock };

const identity = (holder: Holder) => `${holder.workflowId}/${holder.runId}`;

/**
 * The lock of a webspace: whoever managed to write its name into the Lease may change the webspace. Taking, breaking and releasing are
 * conditional on the resourceVersion that was read.
 */
export class Locks {
  readonly #kube: KubernetesClient;
  readonly #runs: WorkflowRuns;
  readonly #now: () => number;

  constructor(kube: KubernetesClient, runs: WorkflowRuns, now: () => number = Date.now) {
    this.#kube = kube;
    this.#runs = runs;
    this.#now = now;
  }

  async read(name: string, signal?: AbortSignal): Promise<Lock | undefined> {
    const lease = await this.#kube.find('lease', name, signal ? { signal } : {});
    return lease && parseLock(lease);
  }

  /** Every lock, by webspace name. */
  async readAll(signal: AbortSignal): Promise<Map<string, Lock>> {
    const leases = await this.#kube.list('lease', { labelSelector: LABELS.webspace, signal });
    return new Map(leases.map((lease) => [lease.metadata.name, parseLock(lease)]));
  }

  /** Takes the lock, adopts it when a former attempt of the same run took it, or says who holds it. `notes` are annotations of the holder. */
  async acquire(acting: Acting, me: Holder, signal: AbortSignal, notes: Readonly<Record<string, string>> = {}): Promise<Acquired> {
    for (let race = 0; race < RACES; race++) {
      // Most often there is no Lease of that name: created first, read only when it exists.
      const lock = race === 0 ? undefined : await this.read(acting.name, signal);
      if (lock?.holder && sameHolder(lock.holder, me)) return { lock };
      const busy = lock && (await this.#busy(lock));
      if (busy) return { busy: busy.reason, kind: lock.kind, ended: busy.ended, held: lock };
      try {
        return { lock: await this.#write(acting, me, lock, { signal, notes }) };
      } catch (error) {
        if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'CONFLICT')) throw error;
      }
    }
    throw new PlatformError('STALE', `The lock of ${acting.name} changes hands too quickly; trying again.`);
  }

  /** Why a lock may not be broken; undefined when nobody holds it, or its run is closed for long enough. */
  async busyReason(lock: Lock): Promise<string | undefined> {
    return (await this.#busy(lock))?.reason;
  }

  async #busy(lock: Lock): Promise<{ readonly reason: string; readonly ended: boolean } | undefined> {
    if (!lock.holder) return undefined;
    const run = await this.#runs.describe(lock.holder);
    const who = `${lock.kind ?? 'an operation'} (${lock.holder.workflowId})`;
    if (run.is === 'open') return { reason: `${who} holds the lock`, ended: false };
    const since = run.is === 'closed' ? run.closedAtMs : Date.parse(String((lock.lease['spec'] as { renewTime?: string }).renewTime));
    if (this.#now() - since >= LOCK_GRACE_MS) return undefined;
    return { reason: `${who} has ended, and its last requests may still be under way`, ended: true };
  }

  /**
   * Whether this run holds the lock and may act. An undo and a delete may act on a uid that is marked as deleted; nobody else.
   * @throws CONFLICT with `details.reason` `lock-lost` or `deleted`.
   */
  async assertHeld(acting: Acting, me: Holder, signal: AbortSignal): Promise<Lock> {
    const lock = await this.read(acting.name, signal);
    if (!lock?.holder || !sameHolder(lock.holder, me)) {
      throw new PlatformError('CONFLICT', `This operation no longer holds the lock of ${acting.name}.`, {
        details: { reason: 'lock-lost' },
      });
    }
    if (acting.kind !== 'delete') assertNotDeleted(lock, acting.uid);
    return lock;
  }

  /** Frees the lock if this run holds it, whatever was written into it meanwhile. */
  async releaseIfHeld(acting: Acting, me: Holder, signal: AbortSignal): Promise<void> {
    while (await this.holds(acting, me, signal)) {
      const lock = await this.read(acting.name, signal);
      try {
        if (lock) await this.release(acting, lock, 'none', signal);
        return;
      } catch (error) {
        // Marked or written since it was read.
        if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
      }
    }
  }

  async holds(acting: Acting, me: Holder, signal: AbortSignal): Promise<boolean> {
    const lock = await this.read(acting.name, signal);
    return lock?.holder !== undefined && sameHolder(lock.holder, me);
  }

  /** Writes the uid into the list of deleted ones, and takes the lock when nobody holds it. Gives the lock as it is afterwards. */
  async markDeleted(acting: Acting, me: Holder, signal: AbortSignal): Promise<Lock> {
    for (let race = 0; race < RACES; race++) {
      const lock = await this.read(acting.name, signal);
      const free = !lock?.holder || sameHolder(lock.holder, me);
      if (!free && lock.deleted.some(({ uid }) => uid === acting.uid)) return lock;
      try {
        if (free) return await this.#write(acting, me, lock, { signal, deletedUid: acting.uid });
        const deleted = [...lock.deleted, this.#tombstone(acting)];
        const annotations = { ...lock.lease.metadata.annotations, [KEYS.deleted]: JSON.stringify(deleted) };
        return parseLock(
          await this.#kube.replace('lease', { ...lock.lease, metadata: { ...lock.lease.metadata, annotations } }, { signal }),
        );
      } catch (error) {
        if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'CONFLICT')) throw error;
      }
    }
    throw new PlatformError('STALE', `The lock of ${acting.name} changes hands too quickly; trying again.`);
  }

  /** The uid that this operation has marked as deleted. */
  async markedBy({ name, operationId }: Acting, signal: AbortSignal): Promise<string | undefined> {
    const lock = await this.read(name, signal);
    return lock?.deleted.find(({ by }) => by === operationId)?.uid;
  }

  /** Asks the holder to look once more before it releases. False when nobody holds the lock (any more). */
  async markLookAgain(lock: Lock, signal: AbortSignal): Promise<boolean> {
    if (!lock.holder) return false;
    const annotations = { ...lock.lease.metadata.annotations, [KEYS.lookAgain]: new Date(this.#now()).toISOString() };
    await this.#kube.replace('lease', { ...lock.lease, metadata: { ...lock.lease.metadata, annotations } }, { signal });
    return true;
  }

  /** Sets annotations of the lock as it was read (STALE when it changed since); undefined takes one away. */
  async annotate(lock: Lock, changes: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Promise<void> {
    const merged = Object.entries({ ...lock.lease.metadata.annotations, ...changes });
    const annotations = Object.fromEntries(merged.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
    await this.#kube.replace('lease', { ...lock.lease, metadata: { ...lock.lease.metadata, annotations } }, { signal });
  }

  /** Clears the mark; gives the lock as it is afterwards. */
  async clearLookAgain(lock: Lock, signal: AbortSignal): Promise<Lock> {
    const { [KEYS.lookAgain]: _mark, ...annotations } = lock.lease.metadata.annotations ?? {};
    return parseLock(await this.#kube.replace('lease', { ...lock.lease, metadata: { ...lock.lease.metadata, annotations } }, { signal }));
  }

  /** Frees the lock as it was read (STALE when it changed since), leaving tombstones of the last hour behind. */
  async release(acting: Acting, lock: Lock, tombstone: 'tombstone' | 'none', signal: AbortSignal): Promise<void> {
    const kept = this.#recent(lock.deleted);
    const deleted = tombstone === 'tombstone' && !kept.some(({ uid }) => uid === acting.uid) ? [...kept, this.#tombstone(acting)] : kept;
    await this.#leave(lock, deleted, signal);
  }

  /**
   * Removes what is left of a lock: the holder when its run was terminated and is closed for long enough, and the Lease when no tombstone
   * is younger than an hour.
   */
  async forget(lock: Lock, signal: AbortSignal): Promise<void> {
    const kept = this.#recent(lock.deleted);
    if (lock.holder ? await this.busyReason(lock) : kept.length > 0) return;
    try {
      await this.#leave(lock, kept, signal);
    } catch (error) {
      // Taken or written since it was read: it is not left over.
      if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
    }
  }

  async #leave({ lease }: Lock, deleted: readonly Tombstone[], signal: AbortSignal): Promise<void> {
    const { name, uid, resourceVersion } = lease.metadata;
    if (deleted.length === 0) {
      await this.#kube.delete('lease', name, { uid, resourceVersion }, { signal });
      return;
    }
    const annotations = { [KEYS.deleted]: JSON.stringify(deleted) };
    const spec = { renewTime: this.#microTime() };
    await this.#kube.replace('lease', { ...lease, metadata: { ...lease.metadata, annotations }, spec }, { signal });
  }

  async #write(
    acting: Acting,
    me: Holder,
    lock: Lock | undefined,
    {
      signal,
      deletedUid,
      notes = {},
    }: { readonly signal: AbortSignal; readonly deletedUid?: string; readonly notes?: Readonly<Record<string, string>> },
  ): Promise<Lock> {
    const kept = lock ? this.#recent(lock.deleted) : [];
    const deleted = deletedUid && !kept.some(({ uid }) => uid === deletedUid) ? [...kept, this.#tombstone(acting)] : kept;
    const annotations = {
      ...notes,
      [KEYS.kind]: acting.kind,
      [KEYS.operation]: acting.operationId,
      [KEYS.uid]: acting.uid,
      ...(deleted.length === 0 ? {} : { [KEYS.deleted]: JSON.stringify(deleted) }),
    };
    const time = this.#microTime();
    const spec = { holderIdentity: identity(me), acquireTime: time, renewTime: time };
    const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.webspace]: acting.name };
    if (lock) {
      const metadata = { ...lock.lease.metadata, annotations, labels };
      return parseLock(await this.#kube.replace('lease', { ...lock.lease, metadata, spec }, { signal }));
    }
    const fresh: NewObject = { metadata: { name: acting.name, annotations, labels }, spec };
    return parseLock(await this.#kube.create('lease', fresh, { signal }));
  }

  #tombstone(acting: Acting): Tombstone {
    return { uid: acting.uid, by: acting.operationId, at: new Date(this.#now()).toISOString() };
  }

  #recent(deleted: readonly Tombstone[]): Tombstone[] {
    return deleted.filter(({ at }) => this.#now() - Date.parse(at) < TOMBSTONE_MS);
  }

  #microTime(): string {
    return new Date(this.#now()).toISOString().replace('Z', '000Z');
  }
}

/** @throws CONFLICT when the uid is marked as deleted. */
export function assertNotDeleted(lock: Lock, uid: string): void {
  if (uid !== '' && lock.deleted.some((tombstone) => tombstone.uid === uid)) {
    throw new PlatformError('CONFLICT', `${lock.lease.metadata.name} is being deleted.`, { details: { reason: 'deleted' } });
  }
}

export function sameHolder(a: Holder, b: Holder): boolean {
  return a.workflowId === b.workflowId && a.runId === b.runId;
}

export function parseLock(lease: StoredObject): Lock {
  const annotations = lease.metadata.annotations ?? {};
  const { holderIdentity } = (lease['spec'] ?? {}) as { holderIdentity?: string };
  const slash = holderIdentity?.lastIndexOf('/') ?? -1;
  return {
    lease,
    holder:
      holderIdentity && slash > 0 ? { workflowId: holderIdentity.slice(0, slash), runId: holderIdentity.slice(slash + 1) } : undefined,
    kind: annotations[KEYS.kind] as OperationKind | undefined,
    uid: annotations[KEYS.uid] ?? '',
    deleted: JSON.parse(annotations[KEYS.deleted] ?? '[]') as Tombstone[],
    lookAgain: KEYS.lookAgain in annotations,
  };
}
