import { setTimeout as pause } from 'node:timers/promises';
import { clusterLockOf, UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Locks } from '../kubernetes/lock.js';
import type { Call } from '../shared/guard.js';
import { replacingOf } from '../upgrade/replacing.js';

const POLL_MS = 1_000;

/** Members of the webspaces' own cluster that an upgrade is replacing: nothing is started on them, and nothing new is put there. */
export class ReplacedMembers {
  readonly #lxd: LxdClient;
  readonly #locks: Locks;
  readonly #cluster: string | undefined;

  /** Without a cluster nothing is ever replaced, and nothing is asked. */
  constructor(lxd: LxdClient, locks: Locks, cluster: string | undefined) {
    this.#lxd = lxd;
    this.#locks = locks;
    this.#cluster = cluster;
  }

  /** Whether what runs since then (ISO 8601) on that member is to stop with it: it was not started anew since the replacement began. */
  async stopsWith(member: string, startedAt: string, signal: AbortSignal): Promise<boolean> {
    const annotations = await this.#annotations(signal);
    const since = annotations?.[UPGRADE_KEYS.replacingSince] ?? '';
    return replacingOf(annotations).includes(member) && Date.parse(startedAt) < Date.parse(since);
  }

  /** Waits while this member is being replaced, and gives whether it was; how long that may take is the activity's own time-out. */
  async awaitBack(call: Call, member: string): Promise<boolean> {
    let waited = false;
    while ((await this.#names(call.signal)).includes(member)) {
      waited = true;
      call.waiting({ waitingFor: `member ${member} of the cluster, which an upgrade is replacing` });
      await pause(POLL_MS, undefined, { signal: call.signal });
    }
    return waited;
  }

  /**
   * Where a new instance is to go: the member with the fewest of those that serve; undefined, and LXD decides, while none is being replaced.
   * @throws UNAVAILABLE when all of them are.
   */
  async placeForNew(signal: AbortSignal): Promise<string | undefined> {
    const replaced = await this.#names(signal);
    if (replaced.length === 0) return undefined;
    const [members, instances] = await Promise.all([this.#lxd.cluster.members({ signal }), this.#lxd.instances.list({ signal })]);
    const left = members.filter(({ server_name, status }) => status === 'Online' && !replaced.includes(server_name));
    const on = (member: string) => instances.filter(({ location }) => location === member).length;
    const [best] = left.map(({ server_name: name }) => ({ name, count: on(name) })).sort((a, b) => a.count - b.count);
    if (best) return best.name;
    throw new PlatformError('UNAVAILABLE', 'All members of the cluster are being replaced by an upgrade just now.');
  }

  async #names(signal: AbortSignal): Promise<string[]> {
    return replacingOf(await this.#annotations(signal));
  }

  /** Of the lock, while somebody holds it. */
  async #annotations(signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined> {
    if (this.#cluster === undefined) return undefined;
    const lock = await this.#locks.read(clusterLockOf(this.#cluster), signal);
    return lock?.holder ? lock.lease.metadata.annotations : undefined;
  }
}
