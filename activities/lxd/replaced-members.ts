import { setTimeout as pause } from 'node:timers/promises';
import { clusterLockOf } from '#libs/contracts/upgrades.js';
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

  /** Waits while this member is being replaced; how long that may take is the activity's own time-out. */
  async awaitBack(call: Call, member: string): Promise<void> {
    while ((await this.#names(call.signal)).includes(member)) {
      call.waiting({ waitingFor: `member ${member} of the cluster, which an upgrade is replacing` });
      await pause(POLL_MS, undefined, { signal: call.signal });
    }
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
    if (this.#cluster === undefined) return [];
    const lock = await this.#locks.read(clusterLockOf(this.#cluster), signal);
    return lock?.holder ? replacingOf(lock.lease.metadata.annotations) : [];
  }
}
