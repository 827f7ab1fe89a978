import { describe, expect, test } from '@jest/globals';
import type { DesiredUpgrade } from './desired.js';
import { differences } from './difference.js';
import { bumped, healthy, plan, withMembers } from './narrations/plans.js';
import { BUMPED, desiredOf, NEWER, OLD, REBUILT, simulationOf } from './narrations/scenarios.js';
import type { SimulationOptions } from './narrations/simulation.js';
import type { ObservedCluster } from './observed.js';
import { planUpgrade, type UpgradePlan } from './plan.js';
import { planWayBack, takesSeveral } from './way-back.js';

const orderOf = ({ replaced }: UpgradePlan) => replaced.map(({ member }) => member);
const deletions = ({ steps }: UpgradePlan) => steps.flatMap(({ action }) => (action.do === 'delete-pods' ? [action.pods] : []));
const kindsOf = (observed: ObservedCluster, desired: DesiredUpgrade) => {
  const planned = planUpgrade(observed, desired);
  return planned.is === 'plans'
    ? planned.plans.map(({ kind }) => kind)
    : planned.is === 'refused'
      ? planned.refusals.map(({ code }) => code)
      : [planned.is];
};
const down = desiredOf({ image: 'lxd:0', environment: {} }).target;
const withTarget = (target: Partial<DesiredUpgrade['target']>) => desiredOf(REBUILT, { target: { ...down, ...target } });

describe('the mode', () => {
  test.each<readonly [string, ObservedCluster, DesiredUpgrade, readonly string[]]>([
    ['rolling with the same versions', healthy, desiredOf(REBUILT), ['rolling']],
    ['lockstep with more API extensions', healthy, desiredOf(BUMPED), ['lockstep-sequential', 'lockstep-parallel']],
    ['lockstep with another schema', healthy, desiredOf(NEWER), ['lockstep-sequential', 'lockstep-parallel']],
    ['nothing to do', healthy, desiredOf(OLD), ['nothing-to-do']],
    ['refused: the schema goes back', healthy, withTarget({ versions: { schema: 59, apiExtensions: 300 } }), ['schema-downgrade']],
    [
      'refused: fewer extensions, aligned upwards only',
      healthy,
      withTarget({ versions: { schema: 60, apiExtensions: 317 } }),
      ['extensions-downgrade'],
    ],
    [
      'lockstep: fewer extensions, aligned both ways',
      healthy,
      withTarget({ versions: { schema: 60, apiExtensions: 317 }, alignment: 'both' }),
      ['lockstep-sequential', 'lockstep-parallel'],
    ],
    ['refused: up and down at once', healthy, withTarget({ versions: { schema: 61, apiExtensions: 317 } }), ['inconsistent-versions']],
    [
      'refused: no image for an architecture',
      withMembers({ 'lxd-1': { architecture: 's390x' } }),
      desiredOf(REBUILT),
      ['missing-architecture'],
    ],
    [
      'refused: quorum is lost',
      withMembers({ 'lxd-1': { answers: 'silent' }, 'lxd-2': { status: 'Offline' } }),
      desiredOf(REBUILT),
      ['quorum-lost'],
    ],
    [
      'refused: two are ahead of the image and one is not',
      withMembers({ 'lxd-1': bumped, 'lxd-2': bumped }),
      desiredOf(REBUILT),
      ['mixed-versions'],
    ],
    ['rolling back the only one that went ahead', withMembers({ 'lxd-2': bumped }), desiredOf(REBUILT), ['rolling']],
    [
      'lockstep from members of mixed versions that the image is ahead of',
      withMembers({ 'lxd-2': bumped }),
      desiredOf(NEWER),
      ['lockstep-sequential', 'lockstep-parallel'],
    ],
    ['refused: no members', { ...healthy, members: [] }, desiredOf(REBUILT), ['no-members']],
  ])('%s', (_what, observed, desired, expected) => {
    expect(kindsOf(observed, desired)).toEqual(expected);
  });

  test('a refusal says what would help: OrderedReady that lost its pods needs Parallel', () => {
    const lost = withMembers(
      { 'lxd-1': { answers: 'silent' }, 'lxd-2': { answers: 'silent' } },
      {
        ...healthy,
        statefulSet: { ...healthy.statefulSet, podManagementPolicy: 'OrderedReady' },
        pods: healthy.pods.slice(0, 1),
      },
    );
    expect(planUpgrade(lost, desiredOf(BUMPED))).toMatchObject({
      refusals: [{ code: 'quorum-lost', remedy: expect.stringContaining('--cascade=orphan') }],
    });
  });
});

describe('the outage that is foretold', () => {
  const timings = { ...desiredOf(BUMPED).timings, betweenSeconds: 2, togetherSeconds: 15 };
  const api = (kind: UpgradePlan['kind']) => plan(healthy, desiredOf(BUMPED, { timings }), kind).outage.api;

  test('one by one: the restarts, the gates between them, and once the alignment', () => {
    expect(api('lockstep-sequential')).toEqual({
      seconds: 52,
      derivation: '3 x (stop 8 + create 3 + start 4) 45 s + 2 x gates between 2 4 s + align 3 s',
    });
  });

  test('all at once: one restart, longer by what the start of all at once takes', () => {
    expect(api('lockstep-parallel')).toEqual({
      seconds: 33,
      derivation: 'stop 8 s + create 3 s + start 4 s + all at once 15 s + align 3 s',
    });
  });
});

describe('the order', () => {
  test('the leader last, the evacuated first, else the emptiest, else by name as people count', () => {
    const twelve = simulationOf(12, { instances: [3, 0, 1], evacuated: ['lxd-2'], leader: 'lxd-5' }).observe();
    expect(orderOf(plan(twelve, desiredOf(REBUILT)))).toEqual([
      'lxd-2',
      'lxd-1',
      'lxd-3',
      'lxd-4',
      'lxd-6',
      'lxd-7',
      'lxd-8',
      'lxd-9',
      'lxd-10',
      'lxd-11',
      'lxd-0',
      'lxd-5',
    ]);
  });

  test('an approved order is kept while instances come and go, and the hash with it', () => {
    const approved = plan(healthy, desiredOf(REBUILT));
    const busier = withMembers({ 'lxd-2': { instancesRunning: 9 } });
    expect(orderOf(plan(busier, desiredOf(REBUILT)))).not.toEqual(orderOf(approved));
    const again = plan(busier, desiredOf(REBUILT, { order: orderOf(approved) }));
    expect(again.hash).toBe(approved.hash);
    expect(differences(approved, again)).toEqual([]);
  });

  test('OrderedReady in lockstep goes from the highest ordinal, though the leader is there', () => {
    const observed = simulationOf(3, { podManagementPolicy: 'OrderedReady', leader: 'lxd-2' }).observe();
    const sequential = plan(observed, desiredOf(BUMPED), 'lockstep-sequential');
    expect(deletions(sequential)).toEqual([['lxd-2'], ['lxd-1'], ['lxd-0']]);
    expect(sequential.warnings.map(({ code }) => code)).toEqual(['leader-not-last']);
  });
});

describe('what a plan says', () => {
  const parallel = (changes: Partial<SimulationOptions>, probes: DesiredUpgrade['probes'] = 'lease') =>
    plan(simulationOf(3, changes).observe(), desiredOf(BUMPED, { probes }), 'lockstep-parallel');
  const does = ({ steps }: UpgradePlan) => steps.map(({ action }) => action.do);

  test('OrderedReady is made Parallel for a parallel plan and back, unless pods have no probes meanwhile', () => {
    expect(does(parallel({ podManagementPolicy: 'OrderedReady' })).filter((what) => what === 'recreate-statefulset')).toHaveLength(2);
    expect(does(parallel({}))).not.toContain('recreate-statefulset');
    expect(does(parallel({ podManagementPolicy: 'OrderedReady' }, 'template'))).not.toContain('recreate-statefulset');
  });

  test('a pod that stays, is not ready and stands before others would keep OrderedReady from making those', () => {
    const observed = simulationOf(3, { podManagementPolicy: 'OrderedReady' }).observe();
    const blocked: ObservedCluster = {
      ...withMembers({ 'lxd-0': bumped }, observed),
      pods: observed.pods.map((pod) => (pod.name === 'lxd-0' ? { ...pod, build: BUMPED, ready: 'no' } : pod)),
    };
    const sequential = plan(blocked, desiredOf(BUMPED), 'lockstep-sequential');
    expect(orderOf(sequential)).toEqual(['lxd-2', 'lxd-1']);
    expect(does(sequential)).toContain('recreate-statefulset');
  });

  test('lockstep may pause before its first deletion and after all serve, not between', () => {
    const { steps } = plan(healthy, desiredOf(BUMPED), 'lockstep-sequential');
    const first = steps.findIndex(({ action }) => action.do === 'delete-pods');
    const online = steps.findIndex(
      ({ action, pause }) => action.do === 'wait-for-gate' && action.gate === 'members-online' && pause === 'not-here',
    );
    expect(steps.map(({ pause }) => pause)).toEqual(steps.map((_, index) => (index > first && index <= online ? 'not-here' : 'allowed')));
  });

  test('a cluster of two voters has no margin, and its API is away with each', () => {
    const two = plan(simulationOf(2).observe(), desiredOf(REBUILT));
    expect(two).toMatchObject({ quorum: 'no-margin', outage: { api: { seconds: 30 } }, warnings: [{ code: 'no-quorum-margin' }] });
  });

  test.each<readonly [string, ObservedCluster, DesiredUpgrade, readonly string[] | undefined]>([
    ['the second member that records, upwards only', healthy, desiredOf(BUMPED), ['lxd-0']],
    ['none when only extensions rise and LXD aligns both ways', { ...healthy, alignment: 'both' }, desiredOf(BUMPED), undefined],
    ['the last member when the schema rises and LXD aligns both ways', { ...healthy, alignment: 'both' }, desiredOf(NEWER), ['lxd-1']],
    ['none in a rolling upgrade', healthy, desiredOf(REBUILT), undefined],
  ])('point of no return: %s', (_what, observed, desired, pods) => {
    const { pointOfNoReturn, steps } = plan(observed, desired);
    const action = steps.find(({ id }) => id === pointOfNoReturn?.step)?.action;
    expect(action?.do === 'delete-pods' ? action.pods : undefined).toEqual(pods);
  });

  test('a member whose node takes no pods is announced to move, and its pod may come up anywhere', () => {
    const cordoned = { ...healthy, cordoned: ['node-2'] };
    const announced = plan(cordoned, desiredOf(REBUILT));
    expect(announced.warnings).toEqual([
      {
        code: 'leaves-its-node',
        text: 'node-2 takes no pods: lxd-2 comes up on another node, if one takes it. Where it has no copy of its data (2.0 GiB) one is built, and its I/O is slow until then.',
      },
    ]);
    expect(announced.aims.target.nodes).toEqual({ 'lxd-0': 'node-0', 'lxd-1': 'node-1' });
    expect(announced.hash).not.toBe(plan(healthy, desiredOf(REBUILT)).hash);
    expect(differences(plan(healthy, desiredOf(REBUILT)), announced)).toContainEqual(expect.stringContaining('New: node-2 takes no pods'));
  });

  test('a volume that can be used on a cordoned node only is no plan', () => {
    const volumes = healthy.volumes.map((volume) => ({ ...volume, dataLocality: 'strict-local' as const }));
    expect(kindsOf({ ...healthy, volumes, cordoned: ['node-2'] }, desiredOf(REBUILT))).toEqual(['node-takes-no-pods']);
    expect(kindsOf({ ...healthy, volumes }, desiredOf(REBUILT))).toEqual(['rolling']);
  });

  test('a template that was changed back under pods of the wanted image is put right, and no pod is deleted', () => {
    const statefulSet = { ...healthy.statefulSet, template: { ...healthy.statefulSet.template, build: REBUILT } };
    const mended = plan({ ...healthy, statefulSet }, desiredOf(OLD));
    expect([mended.kind, deletions(mended)]).toEqual(['rolling', []]);
    expect(mended.steps.map(({ action }) => action.do)).toContain('patch-template');
    expect(mended.outage.api.seconds).toBe(0);
  });

  test('the way back is open with one member ahead and closed with two', () => {
    const desired = desiredOf(BUMPED);
    const approved = plan(healthy, desired, 'lockstep-sequential');
    const pods = healthy.pods.map((pod) => (pod.name === 'lxd-2' ? { ...pod, build: BUMPED, ready: 'no' as const } : pod));
    const one = planWayBack(approved, { ...withMembers({ 'lxd-2': bumped }), pods }, desired, 'members');
    expect(one).toMatchObject({ is: 'open', why: 'lxd-2 back to lxd:1: what is down first, then one at a time.' });
    for (const stage of ['template', 'members'] as const)
      expect(planWayBack(approved, withMembers({ 'lxd-2': bumped, 'lxd-0': bumped }), desired, stage)).toMatchObject({ is: 'closed' });
  });

  test('the way back is the template first; only then is it looked at who has to go back', () => {
    const desired = desiredOf(REBUILT);
    const back = planWayBack(plan(healthy, desired), healthy, desired, 'template');
    expect(back).toMatchObject({ is: 'open', next: 'members' });
    expect(back.is === 'open' ? back.steps.map(({ action }) => action.do) : []).toEqual(['patch-template', 'wait-for-gate']);
    expect(planWayBack(plan(healthy, desired), healthy, desired, 'members')).not.toHaveProperty('next');
  });

  test('the way back stops several together only where several are silent', () => {
    const desired = desiredOf(REBUILT);
    const approved = plan(healthy, desired);
    const pods = healthy.pods.map((pod) => ({ ...pod, build: REBUILT }));
    const silent = { answers: 'silent' } as const;
    const backOf = (members: Parameters<typeof withMembers>[0]) =>
      takesSeveral(planWayBack(approved, { ...withMembers(members), pods }, desired, 'members'));
    expect([backOf({}), backOf({ 'lxd-1': silent }), backOf({ 'lxd-1': silent, 'lxd-2': silent })]).toEqual([false, false, true]);
  });

  test('members that have all recorded the newer versions go back without waiting for each other, and with lenient probes', () => {
    const desired = desiredOf(BUMPED, { probes: 'lease' });
    const approved = plan({ ...healthy, alignment: 'both' }, desired, 'lockstep-sequential');
    const all = { ...withMembers({ 'lxd-0': bumped, 'lxd-1': bumped, 'lxd-2': bumped }), alignment: 'both' as const };
    const pods = healthy.pods.map((pod) => ({ ...pod, build: BUMPED }));
    const back = planWayBack(approved, { ...all, pods }, desired, 'members');
    const steps = back.is === 'open' ? back.steps.map(({ action }) => (action.do === 'wait-for-gate' ? action.gate : action.do)) : [];
    const one = ['quorum-margin', 'delete-pods', 'member-recorded'];
    expect(steps.slice(0, 10)).toEqual(['take-probe-lease', ...one, ...one, ...one]);
  });
});
