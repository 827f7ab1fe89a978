import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { endUpgrades } from '#lab/cluster/left-upgrades.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { PROBE_KINDS } from '#libs/domain/upgrade/observed.js';
import { BoundaryKills, KUBELETS, TARGETS, type Target } from '../support/boundary-kills.js';
import { storyOf, Upgrades } from '../support/cluster-upgrades.js';
import { FULL, inFullRun, report, times } from '../support/lab-session.js';

/** With full counts each process is killed at every boundary of an upgrade of each kind; in the short form they take turns over some of a rolling one's. */
const ROUNDS: readonly { readonly what: string; readonly targets: readonly Target[] }[] = FULL
  ? TARGETS.map((target) => ({ what: target, targets: [target] }))
  : [{ what: 'one of the processes', targets: TARGETS }];
/** Where everything is killed at once: the beginning of a boundary's name without its number, and which of those. */
const EVERYTHING_AT: readonly (readonly [string, number])[] = FULL
  ? [
      ['save-copies', 1],
      ['patch-template', 1],
      ['delete-pods', 1],
      ['delete-pods', 2],
      ['members-online', 3],
      ['release-probe-lease', 1],
      ['finishUpgrade', 1],
    ]
  : [['delete-pods', 2]];

/** At each boundary, or at each so-many-th. */
const EVERY = times({ short: 3, full: 1 });

const OPTIONS = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
let cluster: ClusterLab;
let upgrades: Upgrades;
let kills: BoundaryKills;
let bump = 0;
beforeAll(async () => {
  cluster = await startClusterLab({ ...OPTIONS, cluster: 'anew' });
  upgrades = new Upgrades(cluster);
  kills = new BoundaryKills(cluster, upgrades);
}, 900_000);
let sound = true;
beforeEach(async () => {
  if (!sound) {
    await endUpgrades(cluster.lab);
    await cluster.recreate(OPTIONS);
  }
  sound = false;
  await cluster.agreed(120_000);
  await kills.start();
}, 300_000);
afterAll(async () => {
  kills?.release();
  await cluster?.lab.up();
}, 120_000);

/** The other of the two images that are the same bytes. */
async function nextImage(): Promise<string> {
  const [pod] = await cluster.pods();
  return pod?.spec.containers.some(({ name, image }) => name === CLUSTER.container && image === IMAGES.lxd) ? IMAGES.lxdNext : IMAGES.lxd;
}

/** What every upgrade leaves behind. */
async function endedWell(): Promise<void> {
  await cluster.agreed(60_000);
  const view = (await cluster.lab.api('admin', 'GET', '/v2/clusters/lab')).json<{ pods: { probes: string[] }[] }>();
  expect(view.pods.map(({ probes }) => [...probes].sort())).toEqual(cluster.memberNames.map(() => [...PROBE_KINDS].sort()));
  sound = true;
}

/** An upgrade that stands still at its boundaries until one of the targets, in turns, was killed there. */
async function withKills(id: string, kind: string, targets: readonly Target[]): Promise<void> {
  const met: string[] = [];
  const hits: string[] = [];
  const view = await kills.follow(id, kind, async (boundary) => {
    if (met.push(boundary) % EVERY > 0) return 'on';
    const target = targets[hits.length % targets.length] ?? 'worker';
    await kills.kill(target, hits.length);
    hits.push(boundary);
    return 'on';
  });
  if (view.phase !== 'finished') throw new Error(`after kills at ${hits.join(', ')}: ${storyOf(view)}`);
  const all = BoundaryKills.boundariesOf(await upgrades.report(id), met);
  report(kind, `${hits.length} of ${all.length} boundaries, at each a kill of ${targets.join(' or ')}; finished`);
  expect(met).toEqual(all);
  expect(hits).toHaveLength(Math.floor(all.length / EVERY));
  expect(hits.length).toBeGreaterThanOrEqual(targets.length);
}

describe.each(ROUNDS)('$what is killed at boundary after boundary', ({ targets }) => {
  test('of a rolling upgrade: it goes on, never with two members down', async () => {
    const observer = await cluster.observe();
    await withKills(await upgrades.begin({ image: await nextImage() }), 'rolling', targets);
    expect(await observer.stop()).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    await endedWell();
  }, 1_800_000);

  inFullRun(test)(
    'of a sequential lockstep: it goes on, and quorum is kept',
    async () => {
      bump += 1;
      const observer = await cluster.observe();
      const wanted = { image: await nextImage(), environment: { [BUMP]: String(bump) } };
      await withKills(await upgrades.begin(wanted), 'lockstep-sequential', targets);
      expect((await observer.stop()).quorumLost).toBe(0);
      await endedWell();
    },
    1_800_000,
  );
});

test.each(EVERYTHING_AT)(
  'everything is killed at once before %s (%d); started again, the upgrade ends',
  async (name, which) => {
    const observer = await cluster.observe();
    const id = await upgrades.begin({ image: await nextImage() });
    let met = 0;
    await kills.follow(id, 'rolling', async (boundary) => {
      if (boundary.replace(/^\d+-/, '') === name) met += 1;
      return met === which ? 'stay' : 'on';
    });
    expect(met).toBe(which);
    const all = ['worker', 'api', 'temporal', 'kube-controller-manager', 'kube-scheduler', 'kube-apiserver', 'etcd', ...KUBELETS] as const;
    await Promise.all(all.map((process) => cluster.lab.process(process).kill('SIGKILL')));
    await cluster.lab.up();
    await upgrades.reaches(id, 'finished');
    expect(await observer.stop()).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    await endedWell();
  },
  1_200_000,
);
