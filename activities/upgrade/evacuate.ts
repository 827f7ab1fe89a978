import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Acting } from '#libs/contracts/activities.js';
import type { ErrorCode } from '#libs/contracts/error-codes.js';
import type { OfPlan } from '#libs/contracts/upgrade-activities.js';
import type { ObservedCluster, ObservedMember } from '#libs/domain/upgrade/observed.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from '#libs/lxd/answer.js';
import { operationError } from '#libs/lxd/error-reasons.js';
import { hasEnded } from '#libs/lxd/operation.js';
import { rawOperation } from '#libs/lxd/schemas.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import type { MemberLxd } from './member-lxd.js';
import { observe } from './observe.js';

const SLICE_SECONDS = 5;
const POLL_MS = 1_000;
const SUCCESS = 200;
const PASSING: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'CONFLICT', 'NOT_FOUND']);
const begun = z.looseObject({ id: z.string() });
const MOVES = /^(?:Evacuating|Restoring) cluster member$/;
/** By status. */
const operations = z.record(
  z.string(),
  z.array(z.looseObject({ id: z.string(), description: z.string(), location: z.string().default(''), status_code: z.number() })).nullish(),
);

type Action = 'evacuate' | 'restore';

/** LXD moves the instances of a member away, or back: an operation for as long as there are instances. */
export function evacuateSteps(deps: UpgradeDeps) {
  const { clusters, locks } = deps;

  async function member(call: Call, { operationId }: Acting, cluster: string, name: string): Promise<Found> {
    const { observed } = await observe(deps, { cluster, operationId, signal: call.signal });
    const found = observed.members.find((one) => one.name === name);
    if (!found) throw new PlatformError('NOT_FOUND', `${name} is no member of ${cluster}.`);
    // Asked elsewhere, so that the answer does not come from what is emptied.
    const via = observed.members.find((one) => one.name !== name && one.answers === 'serving') ?? found;
    // Its own operations it always lists; others leave out those of a member that is late.
    return { observed, found, via: via.pod, itself: found.answers === 'serving' ? found.pod : via.pod };
  }

  async function change(call: Call, acting: Acting, { cluster }: OfPlan, name: string, action: Action): Promise<void> {
    await locks.assertHeld(acting, call.me, call.signal);
    const wanted = action === 'evacuate' ? 'Evacuated' : 'Online';
    for (;;) {
      const what = `${action} ${name}`;
      const { lxd } = clusters.get(cluster);
      // LXD says so of a member before it has moved the first instance, and takes that back before a move that failed has ended.
      const moving = await movesOf(lxd, (await member(call, acting, cluster, name)).itself, name, call.signal);
      if (moving !== undefined) {
        call.waiting({ waitingFor: `LXD to end what it does with ${name}`, lxdOperation: moving });
        await pause(POLL_MS, undefined, { signal: call.signal });
        continue;
      }
      const { found, via } = await member(call, acting, cluster, name);
      if (found.status === wanted) return;
      const path = `/1.0/cluster/members/${encodeURIComponent(name)}/state`;
      let failure: PlatformError | undefined;
      try {
        const [answer] = await lxd.ask(via, [{ method: 'POST', path, body: { action } }], { signal: call.signal, seconds: 30 });
        failure = await ended(call, { via, id: parseMetadata(answer, begun, what).id, what, cluster });
      } catch (error) {
        // It goes on in LXD when the connection is lost, or another attempt began it; LXD forgets what has ended. The member's state tells.
        if (!isPlatformError(error) || !PASSING.has(error.code)) throw error;
        call.waiting({ waitingFor: `${what}: ${error.message}` });
        await pause(POLL_MS, undefined, { signal: call.signal });
      }
      if (failure) throw failure;
    }
  }

  async function ended(call: Call, { via, id, what, cluster }: Begun): Promise<PlatformError | undefined> {
    const { lxd } = clusters.get(cluster);
    for (;;) {
      call.waiting({ waitingFor: `LXD to ${what}`, lxdOperation: id });
      const path = `/1.0/operations/${id}/wait?timeout=${SLICE_SECONDS}`;
      const [answer] = await lxd.ask(via, [{ path }], { signal: call.signal, seconds: SLICE_SECONDS + 5 });
      const seen = parseMetadata(answer, rawOperation, what);
      if (!hasEnded(seen.status_code)) continue;
      if (seen.status_code === SUCCESS) return undefined;
      return operationError(what, seen.err, { lxdOperation: id });
    }
  }

  return {
    evacuateMember: (call: Call, acting: Acting, plan: OfPlan, name: string) => change(call, acting, plan, name, 'evacuate'),
    restoreMember: (call: Call, acting: Acting, plan: OfPlan, name: string) => change(call, acting, plan, name, 'restore'),
  };
}

/** Id of the operation that empties or restores the member, if there is one (LXD 5.0, lxd/db/operationtype). */
async function movesOf(lxd: MemberLxd, via: string, member: string, signal: AbortSignal): Promise<string | undefined> {
  const [answer] = await lxd.ask(via, [{ path: '/1.0/operations?recursion=1' }], { signal, seconds: 10 });
  const all = parseMetadata(answer, operations, 'list operations');
  return Object.values(all)
    .flatMap((some) => some ?? [])
    .find(({ description, location, status_code: code }) => MOVES.test(description) && location === member && !hasEnded(code))?.id;
}

interface Found {
  readonly observed: ObservedCluster;
  readonly found: ObservedMember;
  /** Pod that is asked. */
  readonly via: string;
  /** The member's own pod, where it can be asked. */
  readonly itself: string;
}

interface Begun {
  readonly via: string;
  readonly id: string;
  readonly what: string;
  readonly cluster: string;
}
