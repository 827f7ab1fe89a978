import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { ClaimsDeletion, MemberRemoval, ReplicasChange } from '#libs/contracts/scalings.js';
import type { OfPlan } from '#libs/contracts/upgrade-activities.js';
import { FIELD_MANAGER } from '#libs/contracts/webspaces-api.js';
import { readScaleGate, type ScaleGateCall } from '#libs/domain/scale/gates.js';
import { type ObservedScale, ordinalOf } from '#libs/domain/scale/observed.js';
import { counted, listed } from '#libs/domain/upgrade/wording.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import type { UpgradeDeps } from '../upgrade/deps.js';
import { makeSure } from '../upgrade/make-sure.js';
import { parseStatefulSet } from '../upgrade/objects.js';
import { heldBy, observeScale } from './observe-scale.js';

/** Not that of upgrades: what one manager applied before and does not now is taken away. */
const REPLICAS_MANAGER = `${FIELD_MANAGER}-replicas`;
const REMOVE_SECONDS = 60;
const GONE_SECONDS = 60;
const POLL_MS = 500;

/** The changes of a scaling, each looked at once more before it is made. */
export function changeScaleSteps(deps: UpgradeDeps) {
  const { clusters, locks } = deps;

  async function look({ signal }: Call, { operationId }: Acting, cluster: string) {
    return observeScale(deps, { cluster, operationId, signal });
  }

  return {
    async setReplicas(
      call: Call,
      acting: Acting,
      { cluster: name }: OfPlan,
      { replicas, lost, still = [] }: ReplicasChange,
    ): Promise<void> {
      const { config, kube } = clusters.get(name);
      if (still.length > 0) {
        await makeSure(call, 'No member goes.', async () => {
          const now = await look(call, acting, name);
          return parseStatefulSet(now.statefulSet).spec.replicas === replicas ? undefined : whyNot(now.observed, still);
        });
      }
      const { observed, statefulSet } = await look(call, acting, name);
      if (parseStatefulSet(statefulSet).spec.replicas !== replicas) assertEmptyFrom(observed, replicas, lost);
      await locks.assertHeld(acting, call.me, call.signal);
      const metadata = { name: config.statefulSet, uid: statefulSet.metadata.uid };
      const now = await kube.apply(
        'statefulSet',
        { metadata, spec: { replicas } },
        { signal: call.signal, fieldManager: REPLICAS_MANAGER },
      );
      const shown = parseStatefulSet(now).spec.replicas;
      if (shown !== replicas) {
        throw new PlatformError(
          'UNAVAILABLE',
          `StatefulSet ${config.statefulSet} asks for ${shown} replicas: somebody else writes it, too.`,
        );
      }
    },

    async removeMember(call: Call, acting: Acting, { cluster: name }: OfPlan, { member, lost }: MemberRemoval): Promise<void> {
      const { lxd } = clusters.get(name);
      const { observed } = await look(call, acting, name);
      const { members, pods, statefulSet } = observed.cluster;
      if (!members.some((one) => one.name === member)) return;
      if (pods.some((pod) => pod.name === member))
        throw new PlatformError('CONFLICT', `The pod of ${member} is there: it is not taken out.`);
      if ((ordinalOf(statefulSet.name, member) ?? statefulSet.replicas) < statefulSet.replicas) {
        const asked = counted(statefulSet.replicas, 'replica');
        throw new PlatformError('CONFLICT', `StatefulSet ${statefulSet.name} asks for ${asked}: the pod of ${member} is to come back.`);
      }
      assertEmpty(observed, member, lost);
      const via = members.find((one) => one.name !== member && one.answers === 'serving');
      if (!via) throw new PlatformError('UNAVAILABLE', `No other member can be asked to take ${member} out.`);
      await locks.assertHeld(acting, call.me, call.signal);
      call.waiting({ waitingFor: `LXD to take ${member} out of the cluster` });
      const path = `/1.0/cluster/members/${encodeURIComponent(member)}?force=1`;
      try {
        await lxd.ask(via.pod, [{ method: 'DELETE', path }], { signal: call.signal, seconds: REMOVE_SECONDS });
      } catch (error) {
        // An attempt before this one was answered too late.
        if (!isPlatformError(error, 'NOT_FOUND')) throw error;
      }
    },

    async deleteClaims(call: Call, acting: Acting, { cluster: name }: OfPlan, { member, claims }: ClaimsDeletion): Promise<void> {
      const { kube } = clusters.get(name);
      const { observed } = await look(call, acting, name);
      const { members, pods } = observed.cluster;
      const there = members.some((one) => one.name === member) ? `${member} is a member` : undefined;
      const why = there ?? (pods.some((pod) => pod.name === member) ? `the pod of ${member} is there` : undefined);
      if (why !== undefined) throw new PlatformError('CONFLICT', `No volume is deleted: ${why}.`);
      const own = observed.claims.filter((claim) => claim.member === member && claims.includes(claim.name));
      const found = await settleAll(own.map((claim) => kube.find('persistentVolumeClaim', claim.name, { signal: call.signal })));
      const left = found.flatMap((claim) => (claim ? [claim.metadata] : []));
      await locks.assertHeld(acting, call.me, call.signal);
      await settleAll(left.map((claim) => kube.delete('persistentVolumeClaim', claim.name, { uid: claim.uid }, { signal: call.signal })));
      const deadline = Date.now() + GONE_SECONDS * 1000;
      for (;;) {
        const now = await settleAll(left.map((claim) => kube.find('persistentVolumeClaim', claim.name, { signal: call.signal })));
        const still = left.filter((claim, index) => now[index]?.metadata.uid === claim.uid).map((claim) => claim.name);
        if (still.length === 0) return;
        if (Date.now() >= deadline) throw new PlatformError('UNAVAILABLE', `${listed(still)} is still being deleted: something uses it.`);
        call.waiting({ waitingFor: `${listed(still)} to be gone`, deadline: new Date(deadline).toISOString() });
        await pause(POLL_MS, undefined, { signal: call.signal });
      }
    },
  };
}

/** Of the members whose pods would end. */
function assertEmptyFrom(observed: ObservedScale, replicas: number, lost: readonly string[]): void {
  const { members, statefulSet } = observed.cluster;
  for (const { name } of members) if ((ordinalOf(statefulSet.name, name) ?? -1) >= replicas) assertEmpty(observed, name, lost);
}

function whyNot(observed: ObservedScale, still: readonly ScaleGateCall[]): string | undefined {
  const outcomes = still.map((gate) => readScaleGate(gate, observed, 0));
  return outcomes.flatMap((outcome) => (outcome.is === 'passed' ? [] : [outcome.reason]))[0];
}

/** What is given up is what a member has that is away; one that has come back since keeps it. */
function assertEmpty(observed: ObservedScale, member: string, lost: readonly string[]): void {
  const held = heldBy(observed, member);
  const serves = observed.cluster.members.some(({ name, answers }) => name === member && answers === 'serving');
  if (held.length === 0 || (lost.includes(member) && !serves)) return;
  const back = lost.includes(member) ? ', which is back,' : '';
  throw new PlatformError(
    'CONFLICT',
    `${member}${back} does not go: ${counted(held.length, 'thing')} that nobody else has, ${listed(held.slice(0, 5))}.`,
  );
}
