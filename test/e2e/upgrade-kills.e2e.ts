import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradePhase } from '#libs/contracts/upgrades.js';
import { PROBE_KINDS } from '#libs/domain/upgrade/observed.js';
import { Upgrades, type Wanted } from '../support/cluster-upgrades.js';
import { report, times } from '../support/lab-session.js';

const TARGETS = ['worker', 'api', 'temporal', 'kube-apiserver', 'kubelet'] as const;
type Target = (typeof TARGETS)[number];
const KUBELETS = ['node-1-kubelet', 'node-2-kubelet', 'node-3-kubelet'] as const;
const ENDED: readonly (UpgradePhase | undefined)[] = ['finished', 'went-back', 'refused', 'ended', 'failed-step'];

const OPTIONS = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
let cluster: ClusterLab;
let upgrades: Upgrades;
let bump = 0;
beforeAll(async () => {
  cluster = await startClusterLab({ ...OPTIONS, cluster: 'anew' });
  upgrades = new Upgrades(cluster);
}, 900_000);
afterAll(async () => {
  await cluster?.lab.up();
}, 120_000);

/** The other of the two images that are the same bytes. */
async function nextImage(): Promise<string> {
  const [pod] = await cluster.pods();
  return pod?.spec.containers.some(({ name, image }) => name === CLUSTER.container && image === IMAGES.lxd) ? IMAGES.lxdNext : IMAGES.lxd;
}

async function killAndStart(target: Target, turn: number): Promise<void> {
  const process = cluster.lab.process(target === 'kubelet' ? (KUBELETS[turn % KUBELETS.length] ?? KUBELETS[0]) : target);
  await process.kill('SIGKILL');
  await process.start();
}

/** An upgrade at each of whose boundaries one process is killed: the targets in turns, beginning with the one given. */
async function withKills(wanted: Wanted, kind: string | undefined, first: number): Promise<Record<string, number>> {
  const id = await upgrades.begin(wanted);
  await upgrades.approve(id, kind);
  const kills: Record<string, number> = {};
  let boundary = '';
  let turn = first;
  const over = async () => {
    const view = await upgrades.view(id);
    if (ENDED.includes(view?.phase)) return true;
    const present = view?.steps.findLast(({ state }) => state !== 'planned')?.step.id ?? boundary;
    if (present === boundary) return false;
    boundary = present;
    const target = TARGETS[turn % TARGETS.length] ?? 'worker';
    await killAndStart(target, turn);
    turn += 1;
    kills[target] = (kills[target] ?? 0) + 1;
    return false;
  };
  await waitFor('the end of the upgrade', over, { timeoutMs: 1_200_000, intervalMs: 50 });
  await upgrades.reaches(id, 'finished');
  return kills;
}

async function probesAreBack(): Promise<void> {
  const view = (await cluster.lab.api('admin', 'GET', '/v2/clusters/lab')).json<{ pods: { probes: string[] }[] }>();
  expect(view.pods.map(({ probes }) => [...probes].sort())).toEqual(cluster.memberNames.map(() => [...PROBE_KINDS].sort()));
}

describe('a process is killed at every boundary', () => {
  test('of a rolling upgrade: it goes on, never with two members down', async () => {
    for (let first = 0; first < times({ short: 1, full: TARGETS.length }); first++) {
      const observer = await cluster.observe();
      const kills = await withKills({ image: await nextImage() }, undefined, first);
      const seen = await observer.stop();
      expect(seen).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
      await probesAreBack();
      report('rolling', `${JSON.stringify(kills)} kills, finished, at most one member down`);
    }
  }, 7_200_000);

  test('of a sequential lockstep: it goes on, and quorum is kept', async () => {
    for (let first = 0; first < times({ short: 1, full: TARGETS.length }); first++) {
      const observer = await cluster.observe();
      bump += 1;
      const kills = await withKills({ image: await nextImage(), environment: { [BUMP]: String(bump) } }, 'lockstep-sequential', first);
      const seen = await observer.stop();
      expect(seen.quorumLost).toBe(0);
      await cluster.agreed(60_000);
      await probesAreBack();
      report('lockstep', `${JSON.stringify(kills)} kills, finished, quorum kept`);
    }
  }, 7_200_000);
});

test('everything is killed at once in the middle; started again, the upgrade ends', async () => {
  const id = await upgrades.begin({ image: await nextImage() });
  await upgrades.approve(id);
  const inTheMiddle = async () =>
    (await upgrades.view(id))?.steps.filter(({ step, state }) => step.action.do === 'delete-pods' && state !== 'planned').length === 2;
  await waitFor('the second member', inTheMiddle, { timeoutMs: 300_000, intervalMs: 50 });
  const all = ['worker', 'api', 'temporal', 'kube-controller-manager', 'kube-scheduler', 'kube-apiserver', 'etcd', ...KUBELETS] as const;
  await Promise.all(all.map((name) => cluster.lab.process(name).kill('SIGKILL')));
  await cluster.lab.up();
  await upgrades.reaches(id, 'finished');
  await cluster.agreed(60_000);
  await probesAreBack();
}, 1_200_000);
