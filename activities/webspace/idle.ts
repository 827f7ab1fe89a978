import type { IdleLook, IdleWebspace } from '#libs/contracts/idle-stop.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { isWebspaceName } from '#libs/domain/names.js';
import { uidOfObject } from '#libs/domain/projection.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { seen, type Use } from '#libs/domain/use.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import { sentBytesOf } from '../lxd/nic.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import { readInstance } from './observe.js';
import { rememberedUses, USE_MEMORY } from './use-memory.js';

/** Instances whose state is read at once. */
const LANES = 8;
interface Running {
  readonly instance: LxdInstance;
  readonly record: WebspaceRecord;
}

/** The look for webspaces that nobody uses. */
export function idleSteps({ lxd, kube, projection, platform, idleStop, memoryStop, log }: Deps) {
  /** Those that run, whole and by nobody's exception; and how many cannot be told. */
  async function runningOnes(signal: AbortSignal): Promise<{ readonly running: readonly Running[]; readonly unread: number }> {
    const running: Running[] = [];
    let unread = 0;
    for (const instance of await lxd.instances.list({ signal })) {
      if (!isWebspaceName(platform.instancePrefix, instance.name)) continue;
      const observed = readInstance(instance);
      if (observed.is === 'unknown' || (observed.is === 'present' && observed.phase === 'unknown')) unread++;
      if (observed.is !== 'present' || observed.phase !== 'running') continue;
      const { record } = observed;
      if (record.phase === 'ready' && record.deletedBy === undefined && !record.policy.alwaysOn) running.push({ instance, record });
    }
    return { running, unread };
  }

  async function remember(uses: ReadonlyMap<string, Use>, signal: AbortSignal): Promise<void> {
    const use = JSON.stringify(Object.fromEntries([...uses].map(([name, { sentBytes, usedAt }]) => [name, [sentBytes, usedAt]])));
    const labels = { [LABELS.managedBy]: MANAGED_BY };
    await kube.apply('configMap', { metadata: { name: USE_MEMORY, labels }, data: { use } }, { signal });
  }

  /** What it has sent since its start; undefined when LXD does not tell. */
  async function sentBytes(name: string, signal: AbortSignal): Promise<number | undefined> {
    try {
      return sentBytesOf(await lxd.instances.state(name, { signal }));
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      log.warn({ webspace: name, error: error.message }, 'state not read: it counts as used');
      return undefined;
    }
  }

  /** Shows on the `Webspace` when it was last seen in use. */
  async function show(
    { instance, record }: Running,
    usedAt: number,
    webspace: StoredObject | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { phase } = (webspace?.['status'] ?? {}) as { phase?: 'running' };
    if (!webspace || phase !== 'running' || uidOfObject(webspace) !== record.uid) return;
    try {
      await projection.writeStatus(webspace, { phase, lastUsed: new Date(usedAt).toISOString(), conditions: [] }, signal);
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      // Written by somebody else meanwhile, or gone: the next look tells.
      log.debug({ webspace: instance.name, error: error.message }, 'last use not shown');
    }
  }

  return {
    async findIdle({ signal }: Call): Promise<IdleLook> {
      if (!idleStop.enabled && !memoryStop.enabled) throw new PlatformError('INVALID_INPUT', 'The idle stop is off (idleStop.enabled).');
      const [{ running, unread }, before, operations, webspaces] = await Promise.all([
        runningOnes(signal),
        rememberedUses(kube, signal),
        lxd.operations.running({}, { signal }),
        kube.list('webspace', { labelSelector: LABELS.webspace, signal }),
      ]);
      const attended = new Set(operations.flatMap(({ instances }) => instances));
      const shown = new Map(webspaces.map((webspace) => [webspace.metadata.name, webspace]));
      const now = Date.now();
      const uses = new Map<string, Use>();
      const idle: IdleWebspace[] = [];
      const count = { running: running.length, used: 0, unread };
      await inLanes(running, LANES, async (one) => {
        const { name, last_used_at } = one.instance;
        const known = before.get(name);
        const sent = await sentBytes(name, signal);
        if (sent === undefined) {
          count.unread++;
          // Forgotten, so that it counts from anew when it can be read again.
          return;
        }
        const sight = { sentBytes: sent, startedAt: Date.parse(last_used_at), attended: attended.has(name) };
        const use = seen(known, sight, { now, quietBytes: idleStop.quietBytes });
        uses.set(name, use);
        if (use.usedAt === now) {
          count.used++;
          await show(one, now, shown.get(name), signal);
        }
        const idleSeconds = Math.floor((now - use.usedAt) / 1000);
        // The memory stop looks in the same way, to know which one is used the least.
        if (idleStop.enabled && idleSeconds >= idleStop.afterSeconds) idle.push({ name, owner: one.record.owner.id, idleSeconds });
      });
      await remember(uses, signal);
      return { ...count, idle: idle.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    },
  };
}
