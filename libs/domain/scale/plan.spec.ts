import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { desired, observed, plan } from '#libs/testing/scale-scenes.js';
import { healthy } from '../upgrade/narrations/plans.js';
import type { ObservedMember } from '../upgrade/observed.js';
import { readScaleGate } from './gates.js';
import { type DesiredScale, type ObservedScale, ordinalOf } from './observed.js';
import { planScale, type ScalePlan } from './plan.js';
import type { ScaleAction } from './steps.js';
import { planScaleBack } from './way-back.js';

const texts = ({ steps }: ScalePlan) => steps.map(({ text }) => text.replace(/, (?:for .*)?at most .*/, ''));
const codes = (of: ObservedScale, wanted: DesiredScale) => {
  const planned = planScale(of, wanted);
  return planned.is === 'refused' ? planned.refusals.map(({ code }) => code) : [planned.is];
};

describe('a plan', () => {
  test('of one member more and one member more', () => {
    const { steps, coming, going, ...rest } = plan(observed(1), desired(3));
    expect({ coming, going }).toEqual({ coming: ['lxd-1', 'lxd-2'], going: [] });
    expect(rest).toMatchObject({ from: 1, to: 3 });
    expect(texts({ steps } as ScalePlan)).toEqual([
      'wait for no-other-operation',
      'wait for members-online (lxd-0)',
      'wait for quorum-margin',
      'wait for volumes-settled (lxd-0)',
      'save the manifests and the database of lxd-0 outside the members',
      'ask for 2 replicas',
      'wait for member-joined (lxd-1)',
      'wait for volumes-settled (lxd-1)',
      'ask for 3 replicas',
      'wait for member-joined (lxd-2)',
      'wait for volumes-settled (lxd-2)',
      'wait for members-online (lxd-0, lxd-1 and lxd-2)',
      'wait for quorum-margin',
    ]);
  });

  test('of a member that goes with its volume', () => {
    expect(texts(plan(observed(4), desired(3, { volumes: 'delete' }))).slice(5)).toEqual([
      'wait for quorum-margin (lxd-3)',
      'evacuate lxd-3',
      'wait for member-empty (lxd-3)',
      'ask for 3 replicas',
      'wait for pod-gone (lxd-3)',
      'wait for member-empty (lxd-3)',
      'take lxd-3 out of the cluster',
      'wait for member-removed (lxd-3)',
      'delete the claim state-lxd-3',
      'wait for members-online (lxd-0, lxd-1 and lxd-2)',
      'wait for quorum-margin',
    ]);
  });

  test('leaves the volume where that was asked for, and says what that means', () => {
    const { steps, warnings } = plan(observed(4), desired(3));
    expect(steps.some(({ action }) => action.do === 'delete-claims')).toBe(false);
    expect(warnings.map(({ code }) => code)).toEqual(['instances-move', 'volumes-kept']);
  });

  test('is the same whatever the order of what was observed, and another one with other steps', () => {
    const of = observed(5);
    const shuffled = { ...of, claims: [...of.claims].reverse(), cluster: { ...of.cluster, members: [...of.cluster.members].reverse() } };
    expect(plan(shuffled, desired(3)).hash).toBe(plan(of, desired(3)).hash);
    const fewer = { ...of, instances: { ...of.instances, 'lxd-4': ['one'] } };
    expect(plan(fewer, desired(3)).hash).toBe(plan(of, desired(3)).hash);
    expect(plan(of, desired(3, { volumes: 'delete' })).hash).not.toBe(plan(of, desired(3)).hash);
    expect(plan(of, desired(4)).hash).not.toBe(plan(of, desired(3)).hash);
  });

  test('says that the leader goes, and where there is no margin any more', () => {
    const of = observed(3);
    const { warnings } = plan({ ...of, cluster: { ...of.cluster, leader: 'lxd-2' } }, desired(2));
    expect(warnings.map(({ code }) => code)).toEqual(expect.arrayContaining(['leader-goes', 'no-quorum-margin']));
  });
});

describe('there is no plan', () => {
  const of = observed(3);
  const members = (change: (member: ObservedMember) => ObservedMember[]) => ({
    ...of,
    cluster: { ...of.cluster, members: of.cluster.members.flatMap(change) },
  });
  const offline = (member: ObservedMember): ObservedMember[] =>
    member.name === 'lxd-0' ? [member] : [{ ...member, status: 'Offline', answers: 'silent' }];
  test.each<[string, ObservedScale, DesiredScale, string[]]>([
    ['for as many members as there are', of, desired(3), ['nothing-to-do']],
    ['for none', of, desired(0), ['below-one']],
    ['without any', members(() => []), desired(3), ['no-members']],
    ['with a pod that is no member', members((one) => (one.name === 'lxd-2' ? [] : [one])), desired(4), ['not-in-order']],
    [
      'with a member that is no pod',
      members((one) => [{ ...one, name: one.name.replace('lxd-2', 'other') }]),
      desired(4),
      ['not-in-order'],
    ],
    ['without a quorum', members(offline), desired(2), ['quorum-lost', 'member-away']],
    ['for more members than there are nodes', { ...of, freeNodes: 1 }, desired(5), ['no-room']],
    [
      'where the volume of a former member is in the way',
      { ...of, claims: [...of.claims, { name: 'state-lxd-3', member: 'lxd-3' }] },
      desired(4),
      ['volume-left-behind'],
    ],
  ])('%s', (_what, from, wanted, expected) => {
    expect(codes(from, wanted)).toEqual(expected);
  });
});

describe('gates', () => {
  const read = (gate: Parameters<typeof readScaleGate>[0]['gate'], of: ObservedScale) =>
    readScaleGate({ gate, members: ['lxd-2'] }, of, 600);
  const of = observed(3);
  const without = { ...of, cluster: { ...of.cluster, members: of.cluster.members.slice(0, 2) } };

  test.each<[string, ReturnType<typeof read>, object]>([
    [
      'a pod that is no member yet is waited for',
      read('member-joined', without),
      { is: 'waiting', reason: 'lxd-2 runs and is no member yet.' },
    ],
    ['one that the others have, and that serves, has joined', read('member-joined', of), { is: 'passed' }],
    [
      'a pod that does not start is a failure',
      read('member-joined', {
        ...without,
        cluster: {
          ...without.cluster,
          pods: without.cluster.pods.map((pod) => ({ ...pod, trouble: { reason: 'CrashLoopBackOff', message: 'back-off' } })),
        },
      }),
      { is: 'failed' },
    ],
    [
      'a member with instances is waited for, and told by name',
      read('member-empty', of),
      { is: 'waiting', reason: 'On lxd-2: 2 instances: a-lxd-2 and b-lxd-2.' },
    ],
    [
      'so is one with an image that nobody else has',
      read('member-empty', { ...of, instances: {}, others: { 'lxd-2': ['image 0a1b'] } }),
      { is: 'waiting', reason: 'On lxd-2: 1 that nobody else has: image 0a1b.' },
    ],
    ['one without any is empty', read('member-empty', { ...of, instances: {} }), { is: 'passed' }],
    ['a pod that is there is not gone', read('pod-gone', of), { is: 'waiting' }],
    ['a member that LXD has is not removed', read('member-removed', of), { is: 'waiting' }],
    ['one that it has not is', read('member-removed', without), { is: 'passed' }],
    [
      'an LXD that lists nobody says nothing of anybody',
      read('member-removed', { ...of, cluster: { ...of.cluster, members: [] } }),
      { is: 'failed' },
    ],
    ['those of an upgrade are read as there', read('members-online', of), { is: 'passed' }],
  ])('%s', (_what, outcome, expected) => {
    expect(outcome).toMatchObject(expected);
  });
});

describe('a member that is away', () => {
  const of = observed(3);
  const members = of.cluster.members.map(
    (member): ObservedMember => (member.name === 'lxd-2' ? { ...member, status: 'Offline', answers: 'silent' } : member),
  );
  const away = { ...of, cluster: { ...of.cluster, members }, others: { 'lxd-2': ['volume data'] } };

  test('does not go unless it is given up', () => {
    expect(codes(away, desired(2))).toEqual(['member-away']);
    expect(codes(away, desired(4, { lost: 'given-up' }))).toEqual(['plan']);
  });

  test('is taken out without being asked, and what is lost with it is said', () => {
    const { steps, warnings, lost } = plan(away, desired(2, { volumes: 'delete', lost: 'given-up' }));
    expect(lost).toEqual(['lxd-2']);
    expect(warnings.find(({ code }) => code === 'instances-lost')?.text).toContain('a-lxd-2, b-lxd-2 and volume data');
    expect(texts({ steps } as ScalePlan).slice(5)).toEqual([
      'wait for quorum-margin (lxd-2)',
      'ask for 2 replicas',
      'wait for pod-gone (lxd-2)',
      'take lxd-2 out of the cluster',
      'wait for member-removed (lxd-2)',
      'delete the claim state-lxd-2',
      'wait for members-online (lxd-0 and lxd-1)',
      'wait for quorum-margin',
    ]);
  });
});

describe('the way back', () => {
  const back = (of: ObservedScale, wanted: DesiredScale, now: ObservedScale) =>
    planScaleBack(plan(of, wanted), now, wanted).map(({ text }) => text.replace(/, (?:for .*)?at most .*/, ''));
  const asking = (of: ObservedScale, replicas: number): ObservedScale => ({
    ...of,
    cluster: { ...of.cluster, statefulSet: { ...of.cluster.statefulSet, replicas } },
  });

  test('of one that was about to go: its pod and its instances come back', () => {
    const of = observed(4);
    const gone = { ...asking(of, 3), cluster: { ...asking(of, 3).cluster, pods: of.cluster.pods.slice(0, 3) } };
    expect(back(of, desired(2), gone)).toEqual([
      'ask for 4 replicas',
      'wait for members-online (lxd-0, lxd-1, lxd-2 and lxd-3)',
      'restore lxd-3',
      'restore lxd-2',
      'wait for members-online (lxd-0, lxd-1, lxd-2 and lxd-3)',
      'wait for quorum-margin',
    ]);
  });

  test('of one that did not come to join: it goes with the volume that was made for it; those that have come stay', () => {
    const now = asking({ ...observed(3), claims: [...observed(3).claims, { name: 'state-lxd-3', member: 'lxd-3' }] }, 4);
    expect(back(observed(1), desired(5), now)).toEqual([
      'ask for 3 replicas',
      'wait for pod-gone (lxd-3)',
      'wait for member-removed (lxd-3)',
      'delete the claim state-lxd-3',
      'wait for members-online (lxd-0, lxd-1 and lxd-2)',
      'wait for quorum-margin',
    ]);
  });
});

test('a number of another StatefulSet is none of this one', () => {
  expect(['lxd-0', 'lxd-12', 'lxd-012', 'lxd-x', 'lxd', 'other-1'].map((name) => ordinalOf('lxd', name))).toEqual([
    0,
    12,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(healthy.members).toHaveLength(3);
});

/** A world that does what steps say, and refuses what would lose something. */
class World {
  replicas: number;
  readonly members: Set<string>;
  readonly instances = new Map<string, number>();
  readonly claims: Set<string>;

  constructor(members: number) {
    const names = Array.from({ length: members }, (_, at) => `lxd-${at}`);
    [this.replicas, this.members, this.claims] = [members, new Set(names), new Set(names)];
    for (const name of names) this.instances.set(name, 2);
  }

  do(action: ScaleAction): void {
    if (action.do === 'set-replicas') {
      if (Math.abs(action.replicas - this.replicas) !== 1) throw new Error('more than one at a time');
      const gone = `lxd-${action.replicas}`;
      if (action.replicas < this.replicas && (this.instances.get(gone) ?? 0) > 0) throw new Error(`${gone} goes with instances`);
      if (action.replicas > this.replicas) this.members.add(`lxd-${this.replicas}`);
      this.replicas = action.replicas;
    }
    if (action.do === 'evacuate-member') {
      const others = [...this.members].filter((name) => name !== action.member);
      this.instances.set(others[0] ?? '', (this.instances.get(others[0] ?? '') ?? 0) + (this.instances.get(action.member) ?? 0));
      this.instances.delete(action.member);
    }
    if (action.do === 'remove-member') {
      if (Number(action.member.replace('lxd-', '')) < this.replicas) throw new Error(`${action.member} still has a pod`);
      if ((this.instances.get(action.member) ?? 0) > 0) throw new Error(`${action.member} is not empty`);
      this.members.delete(action.member);
    }
    if (action.do === 'delete-claims') {
      if (this.members.has(action.member)) throw new Error(`${action.member} is a member`);
      this.claims.delete(action.member);
    }
  }
}

test('whatever the sizes, nothing is lost, one comes or goes at a time, and the cluster is as asked for in the end', () => {
  const size = fc.integer({ min: 1, max: 7 });
  fc.assert(
    fc.property(size, size, fc.constantFrom('keep' as const, 'delete' as const), (from, to, volumes) => {
      if (from === to) return;
      const world = new World(from);
      for (const { action } of plan(observed(from), desired(to, { volumes })).steps) world.do(action);
      expect(world.members.size).toBe(to);
      expect(world.replicas).toBe(to);
      expect([...world.instances.values()].reduce((sum, count) => sum + count, 0)).toBe(2 * from);
      expect(world.claims.size).toBe(volumes === 'delete' ? Math.min(from, to) : from);
    }),
    { numRuns: 200 },
  );
});
