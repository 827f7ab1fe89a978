import { isWebspaceName } from '#libs/domain/names.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import { deadline } from '#libs/net/deadline.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import { readInstance } from './observe.js';

/** Webspaces led away at once; each takes as long as a planned stop waits for visitors (`gateway.waitSeconds`, `drainSeconds`). */
const LANES = 16;
const LONGEST_MS = 60_000;

/** Leads visitors away from what runs on those members. */
export type LeadAwayFromMembers = (call: Call, members: readonly string[]) => Promise<void>;

/**
 * Before members of the webspaces' own cluster are stopped: visitors of what runs on them are led to the gateway, whose boots wait until the member is
 * back. It never fails, takes no lock and lasts a minute at most: a webspace that it has not reached stops all the same, as one that nobody planned.
 */
export function leadAwayFromMembers({
  lxd,
  projection,
  leadAway,
  platform,
  log,
}: Pick<Deps, 'lxd' | 'projection' | 'leadAway' | 'platform' | 'log'>): LeadAwayFromMembers {
  async function lead(call: Call, instance: LxdInstance): Promise<void> {
    const { name } = instance;
    const observed = readInstance(instance);
    if (observed.is !== 'present' || observed.phase !== 'running') return;
    const { record } = observed;
    if (record.phase !== 'ready' || record.deletedBy !== undefined) return;
    const published = await projection.routeToGateway(name, record, await projection.read(name, call.signal), call.signal);
    await leadAway.newVisitors(call, { name, uid: record.uid, sniPassthrough: record.http.sniPassthrough, ...published });
  }

  return async (call, members) => {
    const { signal, clear } = deadline(call.signal, LONGEST_MS);
    const inTime = { ...call, signal };
    const attempt = async (what: object, work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (error) {
        call.signal.throwIfAborted();
        if (!isPlatformError(error) && !signal.aborted) throw error;
        log.warn({ ...what, error: messageOf(error) }, 'visitors are not led away from a member that is replaced');
      }
    };
    await attempt({ members }, async () => {
      const all = await lxd.instances.list({ signal });
      const theirs = all.filter(({ name, location }) => isWebspaceName(platform.instancePrefix, name) && members.includes(location));
      await inLanes(theirs, LANES, (instance) => attempt({ webspace: instance.name }, () => lead(inTime, instance)));
    }).finally(clear);
    call.waiting(undefined);
  };
}
