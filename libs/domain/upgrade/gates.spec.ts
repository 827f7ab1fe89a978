import { describe, expect, test } from '@jest/globals';
import type { GateAim, GateName, GateOutcome } from './gates.js';
import { readGate } from './gates.js';
import { desiredOf, OLD, REBUILT, simulationOf, versionsOf } from './narrations/scenarios.js';
import type { ObservedCluster, ObservedMember, ObservedPod, ObservedReplica, ObservedVolume } from './observed.js';

const healthy = simulationOf(3).observe();
const all = ['lxd-0', 'lxd-1', 'lxd-2'];
const { probeKinds } = desiredOf(OLD);
const aim: GateAim = {
  build: OLD,
  versions: versionsOf(OLD),
  probes: probeKinds,
  nodes: { 'lxd-0': 'node-0', 'lxd-1': 'node-1', 'lxd-2': 'node-2' },
  stuckSeconds: 300,
};
const member = (name: string, changes: Partial<ObservedMember>): Partial<ObservedCluster> => ({
  members: healthy.members.map((one) => (one.name === name ? { ...one, ...changes } : one)),
});
const pod = (name: string, changes: Partial<ObservedPod>): Partial<ObservedCluster> => ({
  pods: healthy.pods.map((one) => (one.name === name ? { ...one, ...changes } : one)),
});
const volume = (changes: Partial<ObservedVolume>): Partial<ObservedCluster> => ({
  volumes: healthy.volumes.map((one) => (one.member === 'lxd-1' ? { ...one, ...changes } : one)),
});
const local = (
  changes: Omit<Partial<ObservedReplica>, 'name' | 'node'>,
  others: readonly ObservedReplica[] = [],
): Partial<ObservedCluster> =>
  volume({
    replicas: [{ name: 'r1', node: 'node-1', ...changes }, { name: 'r2', node: 'node-far', mode: 'RW' }, ...others],
  });
const third: ObservedReplica = { name: 'r3', node: 'node-other', mode: 'RW' };
const building = (progressPercent: number, unchangedSeconds = 0): Partial<ObservedReplica> => ({
  mode: 'WO',
  rebuild: { state: 'in_progress', progressPercent, unchangedSeconds, bytesPerSecond: 50 * 1024 ** 2 },
});

type Row = readonly [
  what: string,
  changes: Partial<ObservedCluster>,
  expected: Partial<Record<'is' | 'because' | 'reason' | 'progress' | 'remedy', unknown>>,
];

function table(gate: GateName, rows: readonly Row[], { members = all, aims = {} }: { members?: string[]; aims?: Partial<GateAim> } = {}) {
  describe(gate, () => {
    test('passes for a cluster in good health', () => {
      expect(readGate({ gate, members }, healthy, aim)).toMatchObject({ is: 'passed', because: expect.any(String) });
    });
    test.each(rows)('%s', (_what, changes, expected) => {
      const outcome: GateOutcome = readGate({ gate, members }, { ...healthy, ...changes }, { ...aim, ...aims });
      expect(outcome).toMatchObject(expected);
    });
  });
}

const says = (text: string) => expect.stringContaining(text);

table('no-other-operation', [
  [
    'an operation of others is let finish',
    { operations: [{ id: 'a1', kind: 'operation', description: 'Creating instance' }] },
    { is: 'waiting', reason: says('1 operation of others not finished: Creating instance (a1)') },
  ],
  [
    'another upgrade is no matter of waiting',
    { operations: [{ id: 'a1', kind: 'upgrade', description: 'to lxd:2' }] },
    { is: 'failed', remedy: says('one upgrade or scaling of a cluster at a time') },
  ],
]);

table('members-online', [
  [
    'one that LXD calls offline',
    member('lxd-1', { status: 'Offline', answers: 'silent', message: 'No heartbeat for 31 s' }),
    { is: 'waiting', reason: 'lxd-1 is Offline.', progress: 'No heartbeat for 31 s' },
  ],
  [
    'one that waits though LXD calls it Online',
    member('lxd-1', { answers: 'waiting' }),
    { is: 'waiting', reason: says('lxd-1 waits for members of other versions') },
  ],
  ['an evacuated one counts', member('lxd-1', { status: 'Evacuated' }), { is: 'passed' }],
  ['one that was removed', { members: healthy.members.slice(0, 2) }, { is: 'failed', reason: 'lxd-2 is no member of the cluster.' }],
  [
    'one whose pod crashes',
    {
      ...member('lxd-1', { answers: 'silent' }),
      ...pod('lxd-1', { restarts: 4, trouble: { reason: 'CrashLoopBackOff', message: 'exit code 1' } }),
    },
    { is: 'failed', reason: says('restarted 4 times'), remedy: says('abort') },
  ],
  [
    'a failure is told before a wait',
    { ...member('lxd-0', { answers: 'silent' }), ...pod('lxd-2', { trouble: { reason: 'ImagePullBackOff', message: 'not found' } }) },
    { is: 'failed' },
  ],
]);

table(
  'quorum-margin',
  [
    [
      'another voter is away',
      member('lxd-0', { status: 'Offline', answers: 'silent' }),
      { is: 'waiting', reason: says('1 of 3 voters online, 2 needed') },
    ],
    ['a voter that waits for other versions still votes', member('lxd-0', { answers: 'waiting' }), { is: 'passed' }],
    [
      'quorum is lost already: it waits, since one look may have missed members',
      { members: healthy.members.map((one) => (one.name === 'lxd-1' ? one : { ...one, answers: 'silent' })) },
      { is: 'waiting', reason: says('recover-from-quorum-loss') },
    ],
    [
      'members answer that LXD has had no heartbeat of: it waits for the next ones',
      { members: healthy.members.map((one) => (one.name === 'lxd-1' ? one : { ...one, status: 'Offline', answers: 'waiting' })) },
      { is: 'waiting', reason: says('Quorum cannot be seen: 1 of 3 voters online, 2 needed') },
    ],
    [
      'a member that does not vote is not missed',
      {
        members: healthy.members.map((one) =>
          one.name === 'lxd-0' ? one : { ...one, database: one.name === 'lxd-1' ? 'standby' : 'voter' },
        ),
      },
      { is: 'passed' },
    ],
    ['two voters have no margin, and that is said', { members: healthy.members.slice(0, 2) }, { is: 'passed', because: says('no margin') }],
  ],
  { members: ['lxd-1'] },
);

table('agreement', [
  [
    'one is behind',
    member('lxd-1', { versions: { schema: 60, apiExtensions: 317 } }),
    { is: 'waiting', reason: says('not yet: lxd-1 (schema 60, 317 API extensions)'), progress: '2 of 3' },
  ],
  [
    'one is ahead',
    member('lxd-1', { versions: { schema: 61, apiExtensions: 318 } }),
    { is: 'failed', reason: says('lxd-1 has recorded schema 61') },
  ],
  [
    'one is ahead in one number and behind in the other',
    member('lxd-1', { versions: { schema: 61, apiExtensions: 317 } }),
    { is: 'failed' },
  ],
]);

table('volumes-settled', [
  ['degraded', volume({ robustness: 'degraded' }), { is: 'waiting', reason: says('is degraded') }],
  ['detached', volume({ state: 'detached', robustness: 'unknown' }), { is: 'waiting', reason: says('is detached') }],
  ['faulted', volume({ robustness: 'faulted' }), { is: 'failed', remedy: says('Salvage') }],
  ['migrating', volume({ migratingTo: 'node-9' }), { is: 'waiting', reason: says('moved to node-9') }],
  ['expanding', volume({ expanding: 'yes' }), { is: 'waiting', reason: says('expanded') }],
  ['its engine not running', volume({ engine: { node: 'node-1', state: 'starting' } }), { is: 'waiting', reason: says('is starting') }],
  [
    'no place for a copy',
    volume({ schedulingFailure: { reason: 'ReplicaSchedulingFailure', message: 'disk full' } }),
    { is: 'failed', reason: says('disk full') },
  ],
  [
    'no place for the local copy',
    volume({ schedulingFailure: { reason: 'LocalReplicaSchedulingFailure', message: 'disk full' } }),
    { is: 'failed', remedy: says('skip this gate') },
  ],
  [
    'a rebuild, with its numbers',
    local(building(50), [third]),
    { is: 'waiting', progress: '50 %, 1.0 GiB of 2.0 GiB, 50.0 MiB/s, about 20 s left' },
  ],
  ['a rebuild whose progress goes over 100', local(building(130), [third]), { is: 'waiting', progress: says('100 %, 2.0 GiB of 2.0 GiB') }],
  ['a rebuild at 99 % that still moves', local(building(99, 299), [third]), { is: 'waiting' }],
  ['a rebuild that stands still', local(building(99, 300), [third]), { is: 'failed', reason: says('stood still at 99 % for 5 min') }],
  [
    'a rebuild that is complete and not yet read from',
    local({ mode: 'WO', rebuild: { state: 'complete', progressPercent: 100, unchangedSeconds: 5 } }, [third]),
    { is: 'waiting', reason: says('complete and not yet read from') },
  ],
  [
    'a rebuild in error',
    local({ mode: 'WO', rebuild: { state: 'error', progressPercent: 10, unchangedSeconds: 0, error: 'EOF' } }, [third]),
    { is: 'failed', reason: says('failed: EOF') },
  ],
  ['a copy in error', local({ mode: 'ERR' }, [third]), { is: 'waiting', reason: says('in error') }],
  [
    'healthy by Longhorn, and no copy on the own node',
    volume({ replicas: [third, { name: 'r2', node: 'node-far', mode: 'RW' }] }),
    { is: 'waiting', reason: says('no copy on its own node node-1 yet, though Longhorn calls it healthy') },
  ],
  [
    'the same where no locality is asked for',
    volume({ dataLocality: 'disabled', replicas: [third, { name: 'r2', node: 'node-far', mode: 'RW' }] }),
    { is: 'passed' },
  ],
  [
    'one good copy of two',
    volume({ replicas: [{ name: 'r1', node: 'node-1', mode: 'RW' }] }),
    { is: 'waiting', progress: '1 of 2 copies' },
  ],
  [
    'a copy too many',
    volume({ numberOfReplicas: 1 }),
    { is: 'waiting', reason: says('has yet to remove a surplus copy of volume pvc-lxd-1 of lxd-1'), progress: '2 copies, 1 wanted' },
  ],
  ['a volume that is not to be seen', { volumes: healthy.volumes.slice(1) }, { is: 'waiting', reason: says('No volume of lxd-0') }],
  ['storage that nobody watches', { storage: 'unwatched', volumes: [] }, { is: 'passed', because: says('not watched') }],
]);

table('images-present', [
  ['not on one node', { images: healthy.images.slice(1) }, { is: 'waiting', reason: says('not on node-0 yet') }],
  [
    'cannot be pulled',
    { images: [{ node: 'node-0', state: 'failed', message: 'not found' }, ...healthy.images.slice(1)] },
    { is: 'failed', reason: says('not found') },
  ],
]);

table('template-shown', [
  [
    'another build',
    { statefulSet: { ...healthy.statefulSet, template: { build: REBUILT, probes: probeKinds } } },
    { is: 'waiting', reason: says('still has lxd:1-rebuilt') },
  ],
  [
    'it replaces pods by itself',
    { statefulSet: { ...healthy.statefulSet, updateStrategy: { type: 'RollingUpdate', partition: 0 } } },
    { is: 'waiting', reason: says('by itself') },
  ],
  [
    'a probe is missing',
    { statefulSet: { ...healthy.statefulSet, template: { build: OLD, probes: ['liveness'] } } },
    { is: 'waiting', reason: says('no readiness and startup probe') },
  ],
]);

table('pods-on-nodes', [
  [
    'on another node, of storage that nobody watches',
    { ...pod('lxd-1', { node: 'node-9' }), storage: 'unwatched' },
    { is: 'passed', because: expect.any(String) },
  ],
  [
    'on another node',
    pod('lxd-1', { node: 'node-9' }),
    { is: 'failed', reason: says('came up on node-9, not on node-1'), remedy: says('skip') },
  ],
  [
    'on another node that has a readable copy of its data',
    pod('lxd-1', { node: 'node-far' }),
    { is: 'passed', because: expect.any(String) },
  ],
  [
    'pending, with the reason of the scheduler',
    pod('lxd-1', { phase: 'Pending', trouble: { reason: 'Unschedulable', message: '0/3 nodes' } }),
    { is: 'waiting', progress: '0/3 nodes' },
  ],
  ['being stopped', pod('lxd-1', { deleting: 'yes' }), { is: 'waiting' }],
  ['of another build', pod('lxd-1', { build: REBUILT }), { is: 'waiting', reason: says('still runs lxd:1-rebuilt') }],
]);

table('member-recorded', [
  [
    'its row is the old one',
    member('lxd-1', { versions: { schema: 60, apiExtensions: 317 } }),
    { is: 'waiting', reason: says('has not recorded') },
  ],
  ['its row is right and its daemon not there', member('lxd-1', { answers: 'silent' }), { is: 'waiting' }],
  ['it waits for the others, as it must', member('lxd-1', { answers: 'waiting' }), { is: 'passed' }],
]);

table('probes-in-pods', [
  [
    'a running pod without, the template with',
    pod('lxd-1', { probes: ['readiness'] }),
    { is: 'failed', reason: says('liveness and startup'), remedy: says('Delete lxd-1') },
  ],
  ['a pod that does not run yet', pod('lxd-1', { phase: 'Pending', probes: [] }), { is: 'waiting' }],
  [
    'neither pod nor template',
    { ...pod('lxd-1', { probes: [] }), statefulSet: { ...healthy.statefulSet, template: { build: OLD, probes: [] } } },
    { is: 'failed', remedy: says('Put the probes back') },
  ],
]);
