import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DesiredUpgrade } from './desired.js';
import { differences } from './difference.js';
import { bumped, healthy, plan, withMembers } from './narrations/plans.js';
import { BUMPED, desiredOf, NEWER, REBUILT, shuffled, simulationOf } from './narrations/scenarios.js';
import type { ObservedCluster } from './observed.js';

describe('the hash', () => {
  const desired = desiredOf(BUMPED);
  const approved = plan(healthy, desired);
  const set = healthy.statefulSet;

  test('does not change with the order of observation, nor with what moves by itself', () => {
    const moving: ObservedCluster = {
      ...healthy,
      volumes: healthy.volumes.map((volume) => ({ ...volume, robustness: 'degraded', sizeBytes: 1 })),
      operations: [{ id: 'a1', kind: 'operation', description: 'Creating instance' }],
    };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.constantFrom(healthy, moving), (seed, observed) => {
        const again = plan(shuffled(observed, seed), desired);
        expect(again.hash).toBe(approved.hash);
        expect(differences(approved, again)).toEqual([]);
      }),
    );
  });

  test.each<readonly [string, ObservedCluster, DesiredUpgrade, string]>([
    ['the digest', healthy, desiredOf(BUMPED, { target: { ...desired.target, digest: 'sha256:2' } }), 'sha256:2'],
    [
      'the versions of the target',
      healthy,
      desiredOf(BUMPED, { target: { ...desired.target, versions: { schema: 61, apiExtensions: 400 } } }),
      'schema 61, 400',
    ],
    ['the leader', { ...healthy, leader: 'lxd-0' }, desired, 'The leader of dqlite: lxd-0 now, lxd-1 before.'],
    ['a member more', simulationOf(4).observe(), desired, 'lxd-3 is a new member'],
    ['a member less', { ...healthy, members: healthy.members.slice(1) }, desired, 'lxd-0 is no member any more.'],
    ['the state of a member', withMembers({ 'lxd-0': { status: 'Evacuated' } }), desired, 'lxd-0: Evacuated'],
    ['the node of a pod', { ...healthy, pods: healthy.pods.map((pod) => ({ ...pod, node: 'node-9' })) }, desired, 'on node-9'],
    [
      'podManagementPolicy',
      { ...healthy, statefulSet: { ...set, podManagementPolicy: 'OrderedReady' } },
      desired,
      'podManagementPolicy: OrderedReady now',
    ],
    [
      'the update strategy',
      { ...healthy, statefulSet: { ...set, updateStrategy: { type: 'RollingUpdate', partition: 2 } } },
      desired,
      'from ordinal 2 now',
    ],
    ['the way of the probes', healthy, desiredOf(BUMPED, { probes: 'template' }), 'Probes: by template'],
    ['the way of the change', healthy, desiredOf(BUMPED, { way: 'gitops' }), 'by a pull request'],
    ['the timings', healthy, desiredOf(BUMPED, { timings: { ...desired.timings, stopSeconds: 60 } }), "Expected outage of LXD's API"],
    ['a deadline', healthy, desiredOf(BUMPED, { deadlinesSeconds: { agreement: 60 } }), 'at most 60 s'],
    ['the settle time', healthy, desiredOf(BUMPED, { settleSeconds: 60 }), 'for 60 s without a break'],
    ['the time of a stuck rebuild', healthy, desiredOf(BUMPED, { stuckSeconds: 60 }), 'a rebuild is stuck: 60 s now'],
    ['storage that nobody watches', { ...healthy, storage: 'unwatched' }, desired, 'New: No gate looks at the storage'],
    [
      'a gate that fails',
      { ...healthy, operations: [{ id: 'u2', kind: 'upgrade', description: 'to lxd:3' }] },
      desired,
      'Fails now: no-other-operation: u2 works',
    ],
    ['the mode', healthy, desiredOf(REBUILT), 'The plan is rolling now, not lockstep-sequential'],
    [
      'members that went ahead meanwhile',
      withMembers({ 'lxd-2': bumped }),
      desired,
      'lxd-2: Online, x86_64, voter, schema 60, 319 API extensions now',
    ],
  ])('changes with %s, and the difference is told', (_what, observed, other, sentence) => {
    const fresh = plan(observed, other);
    expect(fresh.hash).not.toBe(approved.hash);
    expect(differences(approved, fresh).join('\n')).toContain(sentence);
  });

  test('changes with the node of a member that stays', () => {
    const onNode = (node: string): ObservedCluster => ({
      ...withMembers({ 'lxd-2': bumped }),
      pods: healthy.pods.map((pod) => (pod.name === 'lxd-2' ? { ...pod, build: BUMPED, node } : pod)),
    });
    const [here, there] = [plan(onNode('node-2'), desired), plan(onNode('node-9'), desired)];
    expect(differences(here, there)).toEqual([expect.stringContaining('lxd-2 on node-9 now')]);
    expect(here.hash).not.toBe(there.hash);
  });

  test('of the two lockstep plans, each has its own', () => {
    const other = plan(healthy, desired, 'lockstep-parallel');
    expect(other.hash).not.toBe(approved.hash);
    expect(differences(approved, other)).toContainEqual(expect.stringContaining('The plan is lockstep-parallel now'));
  });

  test('differs exactly when there is a difference to tell', () => {
    const change = fc.record({
      members: fc.integer({ min: 2, max: 4 }),
      leader: fc.constantFrom('lxd-0', 'lxd-1'),
      podManagementPolicy: fc.constantFrom('OrderedReady' as const, 'Parallel' as const),
      probes: fc.constantFrom('lease' as const, 'template' as const),
      build: fc.constantFrom(REBUILT, BUMPED, NEWER),
      evacuated: fc.subarray(['lxd-0', 'lxd-1']),
      settleSeconds: fc.constantFrom(10, 20),
    });
    type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;
    const planOf = ({ build, probes, settleSeconds, members, ...simulated }: Change) =>
      plan(simulationOf(members, simulated).observe(), desiredOf(build, { probes, settleSeconds }));
    fc.assert(
      fc.property(change, change, (a, b) => {
        const [one, other] = [planOf(a), planOf(b)];
        expect(differences(one, other).length === 0).toBe(one.hash === other.hash);
      }),
    );
  });
});
