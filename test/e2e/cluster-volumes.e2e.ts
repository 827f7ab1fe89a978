import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Fault } from '#lab/longhorn/faults.js';
import { waitFor } from '#lab/wait.js';
import { type GateAim, type GateOutcome, readGate } from '#libs/domain/upgrade/gates.js';
import { OLD, simulationOf, versionsOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import type { ObservedVolume } from '#libs/domain/upgrade/observed.js';
import { MEMBERS, VolumesLab } from '../support/volumes-lab.js';

const GIB = 1024 ** 3;
const FAST = { bytesPerSecond: 2 * GIB, stepMs: 300 };
const SLOW = { bytesPerSecond: GIB / 10, stepMs: 1_000 };
const MOVED = 'lxd-1';
const WITHIN = { timeoutMs: 60_000, intervalMs: 100 };

let lab: VolumesLab;
beforeAll(async () => {
  lab = await VolumesLab.open();
  await outcome(MEMBERS, ({ is }) => is === 'passed');
}, 240_000);
afterAll(() => lab?.close(), 120_000);
afterEach(async () => {
  await lab.settings(FAST);
  await lab.fault(MOVED, undefined);
  await outcome(MEMBERS, ({ is }) => is === 'passed');
}, 90_000);

/** What scripts and other operators ask. */
function naiveGate(volumes: readonly ObservedVolume[]): 'passed' | 'waiting' {
  return volumes.every(({ robustness }) => robustness === 'healthy') ? 'passed' : 'waiting';
}

function ourGate(volumes: readonly ObservedVolume[], members: readonly string[], aim: Partial<GateAim> = {}): GateOutcome {
  const cluster = { ...simulationOf(3).observe(), storage: 'longhorn' as const, volumes };
  const full = { build: OLD, versions: versionsOf(OLD), probes: [], nodes: {}, stuckSeconds: 300, ...aim };
  return readGate({ gate: 'volumes-settled', members }, cluster, full);
}

/** Reads the volumes until the gates say what is looked for; gives what both say of that one observation. */
function outcome(members: readonly string[], fits: (ours: GateOutcome, naive: string) => boolean, aim: Partial<GateAim> = {}) {
  let last: GateOutcome | undefined;
  return waitFor(
    'the gate',
    async () => {
      const volumes = await lab.volumes();
      const ours = ourGate(volumes, members, aim);
      last = ours;
      const naive = naiveGate(volumes);
      return fits(ours, naive) && { ours, naive, volumes };
    },
    WITHIN,
  ).catch((cause: unknown) => {
    throw new Error(`the gate said last: ${JSON.stringify(last)}`, { cause });
  });
}

const textOf = (outcome: GateOutcome) => (outcome.is === 'passed' ? outcome.because : outcome.reason);
const saying = (text: RegExp | string) => (outcome: GateOutcome) => textOf(outcome).search(text) >= 0;

describe('a member whose pod went to a node without a copy', () => {
  it('is healthy to a gate that asks for health only; ours waits until the local copy is readable', async () => {
    await lab.settings(SLOW);
    const node = await lab.moveAway(MOVED);

    const before = await outcome([MOVED], saying('no copy on its own node'));
    expect(before.ours).toEqual({
      is: 'waiting',
      reason: `Volume pv-${MOVED} of ${MOVED} has no copy on its own node ${node} yet, though Longhorn calls it healthy.`,
    });
    expect(before.naive).toBe('passed');

    const building = await outcome([MOVED], (ours) => ours.is === 'waiting' && /[1-9]\d? %.*left/.test(ours.progress ?? ''));
    expect(building.ours).toEqual({
      is: 'waiting',
      reason: `Waits for the copy of volume pv-${MOVED} of ${MOVED} on ${node} to be built.`,
      progress: expect.stringMatching(/^\d+ %, [\d.]+ [KM]iB of 1\.0 GiB, [\d.]+ MiB\/s, about [\d.]+ s left$/),
    });
    expect(building.naive).toBe('passed');
    const others = MEMBERS.filter((member) => member !== MOVED);
    expect(ourGate(building.volumes, others)).toMatchObject({ is: 'passed' });

    const complete = await outcome([MOVED], saying('not yet read from'));
    expect(complete.ours).toMatchObject({ is: 'waiting', reason: expect.stringContaining('complete and not yet read from (WO)') });
    expect(complete.naive).toBe('passed');

    const settled = await outcome([MOVED], ({ is }) => is === 'passed');
    expect(settled.ours).toEqual({ is: 'passed', because: `1 volume settled: ${MOVED}.` });
    const [volume] = settled.volumes.filter(({ member }) => member === MOVED);
    expect(volume?.replicas.filter((replica) => replica.node === node)).toEqual([expect.objectContaining({ mode: 'RW' })]);
  }, 120_000);

  it('the simulator is killed while a copy is built, and the copy goes on where it was', async () => {
    await lab.settings(SLOW);
    await lab.moveAway(MOVED);
    const percentOf = ({ ours }: { readonly ours: GateOutcome }) =>
      ours.is === 'waiting' ? Number(/^(\d+) %/.exec(ours.progress ?? '')?.[1]) : Number.NaN;
    const before = percentOf(await outcome([MOVED], (ours) => ours.is === 'waiting' && /^[2-9]\d %/.test(ours.progress ?? '')));
    await lab.longhorn.kill('SIGKILL');
    await lab.longhorn.start();
    const after = percentOf(await outcome([MOVED], (ours) => ours.is === 'waiting' && ours.progress !== undefined));
    expect(after).toBeGreaterThanOrEqual(before);
  }, 90_000);
});

describe('what keeps a local copy from being built is said in words', () => {
  const rows: readonly (readonly [what: string, Fault, RegExp, object])[] = [
    [
      'a rebuild that stands still',
      'stuck',
      /^Building the copy of volume pv-lxd-1 of lxd-1 on node-[abc] has stood still at 99 % for \d+ s\.$/,
      { is: 'failed', remedy: expect.stringContaining('deleting this replica in Longhorn begins anew') },
    ],
    [
      'a rebuild that fails',
      'rebuild-error',
      /^Building the copy of volume pv-lxd-1 of lxd-1 on node-[abc] failed: failed to sync files: .*no space left on device\.$/,
      { is: 'failed', remedy: expect.stringContaining('Delete this replica in Longhorn') },
    ],
    [
      'no space for a local copy',
      'no-local-space',
      /^There is no place for a copy of volume pv-lxd-1 on the node of lxd-1 \(disk simulated of node-[abc] is not Schedulable \(DiskPressure: .+\)\)\.$/,
      { is: 'failed', remedy: expect.stringContaining('Make room on that node') },
    ],
    [
      'a copy that is complete and not read from',
      'complete-but-wo',
      /^The copy of volume pv-lxd-1 of lxd-1 on node-[abc] is complete and not yet read from \(WO\)\.$/,
      { is: 'waiting' },
    ],
  ];

  it.each(rows)(
    '%s',
    async (_what, fault, text, expected) => {
      await lab.fault(MOVED, fault);
      await lab.moveAway(MOVED);
      const { ours, naive } = await outcome([MOVED], saying(text), { stuckSeconds: 2 });
      expect(textOf(ours)).toMatch(text);
      expect(ours).toMatchObject(expected);
      expect(naive).toBe('passed');
    },
    90_000,
  );

  it('a progress over 100 is shown as 100', async () => {
    await lab.settings(SLOW);
    await lab.fault(MOVED, 'over-100');
    await lab.moveAway(MOVED);
    const over = (volumes: readonly ObservedVolume[]) =>
      volumes.some(({ replicas }) => replicas.some(({ rebuild }) => (rebuild?.progressPercent ?? 0) > 100));
    const volumes = await waitFor('a progress over 100', async () => lab.volumes().then((seen) => over(seen) && seen), WITHIN);
    expect(ourGate(volumes, [MOVED])).toMatchObject({ is: 'waiting', progress: expect.stringMatching(/^100 %, 1\.0 GiB of 1\.0 GiB/) });
  }, 90_000);

  it('what the remedy says helps: the replica is deleted, and a new one is built', async () => {
    await lab.fault(MOVED, 'stuck');
    await lab.moveAway(MOVED);
    const { volumes } = await outcome([MOVED], ({ is }) => is === 'failed', { stuckSeconds: 1 });
    const stuck = volumes.flatMap(({ replicas }) => replicas).find(({ rebuild }) => rebuild !== undefined);
    await lab.fault(MOVED, undefined);
    await lab.deleteReplica(stuck?.name ?? '');
    const settled = await outcome([MOVED], ({ is }) => is === 'passed');
    expect(settled.volumes.flatMap(({ replicas }) => replicas).map(({ name }) => name)).not.toContain(stuck?.name);
  }, 90_000);
});

describe('a volume that is not well', () => {
  const rows: readonly (readonly [what: string, Fault, RegExp, object, 'passed' | 'waiting'])[] = [
    [
      'degraded',
      'degraded',
      /^Longhorn has yet to replace the copy of volume pv-lxd-1 of lxd-1 on node-[abc], which is in error\.$/,
      { is: 'waiting' },
      'waiting',
    ],
    [
      'faulted',
      'faulted',
      /^Volume pv-lxd-1 of lxd-1 is faulted: it has no usable copy\.$/,
      { is: 'failed', remedy: expect.stringContaining('Salvage it in Longhorn or restore it from a backup') },
      'waiting',
    ],
    ['detached', 'detached', /^Volume pv-lxd-1 of lxd-1 is detached\.$/, { is: 'waiting' }, 'waiting'],
    ['being moved', 'migrating', /^Volume pv-lxd-1 of lxd-1 is being moved to node-[abc]\.$/, { is: 'waiting' }, 'passed'],
  ];

  it.each(rows)(
    '%s',
    async (_what, fault, text, expected, naively) => {
      await lab.fault(MOVED, fault);
      // A volume and its copies are objects of their own: for a moment one of them may show it before the other.
      const { ours, volumes } = await outcome([MOVED], (said, naive) => naive === naively && saying(text)(said));
      expect(textOf(ours)).toMatch(text);
      expect(ours).toMatchObject(expected);
      expect(ourGate(volumes, ['lxd-0', 'lxd-2'])).toMatchObject({ is: 'passed' });
    },
    90_000,
  );
});
