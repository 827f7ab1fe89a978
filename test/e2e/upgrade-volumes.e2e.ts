import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { startLab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradeReport, UpgradeView } from '#libs/contracts/upgrades.js';
import { ClusterLonghorn } from '../support/cluster-longhorn.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import { report } from '../support/lab-session.js';

const MIB = 1024 ** 2;
const FAST = { bytesPerSecond: 1024 * MIB, stepMs: 300 };
/** Slow enough that a copy is never there before its progress was seen, however long the pod takes to start beside it. */
const SLOW = { bytesPerSecond: 8 * MIB, stepMs: 1_000 };
const SETTINGS = { storage: { kind: 'longhorn' }, stuckSeconds: 3_600 } as const;
const DEADLINE_SECONDS = 60;
const OPTIONS = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
const SPARE = 'node-4';
const NODES = 4;

let cluster: ClusterLab;
let upgrades: Upgrades;
let longhorn: ClusterLonghorn;
beforeAll(async () => {
  const lab = await startLab({ nodes: NODES });
  const others = (await lab.kubectl(['get', 'nodes', '-o', 'name'])).match(/node-(?![123]\b)\d+/g) ?? [];
  for (const node of others) await lab.kubectl(['cordon', node]);
  cluster = await startClusterLab({ ...OPTIONS, nodes: NODES, cluster: 'anew', settings: SETTINGS });
  upgrades = new Upgrades(cluster);
  longhorn = new ClusterLonghorn(cluster);
  await longhorn.settings(FAST);
  await longhorn.cordoned(...others.filter((node) => node !== SPARE));
  await longhorn.well();
}, 900_000);
afterEach(async () => {
  await longhorn.settings(FAST);
  for (const member of cluster.memberNames) await longhorn.fault(member, undefined);
  await longhorn.well();
}, 120_000);
afterAll(async () => {
  await longhorn?.cordoned();
}, 60_000);

/** The one of two images of the same versions that does not run now. */
async function nextImage(): Promise<string> {
  const { containers } = (await cluster.pod('lxd-0')).spec;
  const now = containers.find(({ name }) => name === CLUSTER.container)?.image;
  return now === IMAGES.lxd ? IMAGES.lxdNext : IMAGES.lxd;
}
const nodeOf = async (member: string) => (await longhorn.nodes())[member] ?? '';
const did = ({ audit }: UpgradeReport) => audit.map((entry) => entry.did);

/** The upgrade waits for this, with these numbers. */
function waits(id: string, forWhat: RegExp, progress = /^/): Promise<UpgradeView> {
  let last = '';
  const found = async () => {
    const view = await upgrades.view(id);
    last = `${view?.phase}: ${view?.wait?.for} (${view?.wait?.progress})`;
    return view && forWhat.test(view.wait?.for ?? '') && progress.test(view.wait?.progress ?? '') ? view : false;
  };
  return waitFor(`the upgrade to wait for ${forWhat}`, found, { timeoutMs: 240_000, intervalMs: 200 }).catch((cause: unknown) => {
    throw new Error(`the upgrade waited last for ${last}`, { cause });
  });
}

const MOVED = 'lxd-2';
/** A member whose volume has no copy on the node that has no pod yet: there one has to be built. */
async function movable(): Promise<string> {
  const nodes = Object.values(await longhorn.nodes());
  const free = Array.from({ length: NODES }, (_, index) => `node-${index + 1}`).find((node) => !nodes.includes(node)) ?? '';
  for (const member of cluster.memberNames.toReversed()) if (!(await longhorn.copiesOf(member)).includes(free)) return member;
  throw new Error(`every member's volume has a copy on ${free} already`);
}

describe('a member whose node takes no pods', () => {
  test('is announced to move: its copy is waited for with numbers, and one approval is all that people do', async () => {
    await longhorn.settings(SLOW);
    const before = await longhorn.nodes();
    await longhorn.cordoned(before[MOVED] ?? '');
    const observer = await cluster.observe();
    const id = await upgrades.begin({ image: await nextImage() });
    const { plans } = await upgrades.approve(id);
    expect(plans[0]?.warnings.map(({ code }) => code)).toEqual(['leaves-its-node']);

    const { wait } = await waits(id, /^volumes-settled: Waits for the copy of volume \S+lxd-2 of lxd-2 on node-4 to be built\.$/, /MiB\/s/);
    expect(wait?.progress).toMatch(/^\d+ %, [\d.]+ [KMG]iB of 5\.0 GiB, [\d.]+ MiB\/s, about .+ left$/);
    expect(wait?.updates.map(({ name }) => name)).toEqual(['pause', 'skip', 'abort']);
    await longhorn.settings(FAST);

    await upgrades.reaches(id, 'finished');
    const seen = await observer.stop();
    const all = await upgrades.report(id);
    expect(did(all)).toEqual(['requested', 'approve']);
    expect(all.steps.every(({ state }) => state === 'done')).toBe(true);
    expect(seen).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    expect(await longhorn.nodes()).toEqual({ ...before, [MOVED]: SPARE });
    const copies = await longhorn.copiesOf(MOVED);
    expect([copies.length, copies.includes(SPARE)]).toEqual([2, true]);
    for (const { member, write } of all.members) {
      expect([write?.beforeMs, write?.afterMs]).toEqual([expect.any(Number), expect.any(Number)]);
      report(`a write to the volume of ${member}`, `${write?.beforeMs} ms before, ${write?.afterMs} ms after`);
    }
  }, 600_000);

  test('a rebuild that is stuck is waited for until its deadline, then somebody decides; an admin may skip it with a reason', async () => {
    await cluster.configure({ ...SETTINGS, deadlinesSeconds: { 'volumes-settled': DEADLINE_SECONDS } });
    const moved = await movable();
    await longhorn.fault(moved, 'stuck');
    await longhorn.cordoned(await nodeOf(moved));
    const id = await upgrades.begin({ image: await nextImage() });
    await upgrades.approve(id);
    const { wait } = await waits(
      id,
      new RegExp(`^volumes-settled: Waits for the copy of volume \\S+ of ${moved} on node-\\d to be built\\.$`),
      /^99 %/,
    );
    const began = Date.parse(wait?.since ?? '');
    expect(Date.parse(wait?.deadline ?? '') - began).toBeLessThan((DEADLINE_SECONDS + 5) * 1000);

    const { wait: stands, steps } = await upgrades.reaches(id, 'failed-step');
    expect(Date.now() - began).toBeGreaterThanOrEqual(DEADLINE_SECONDS * 1000);
    expect(stands?.for).toMatch(/volumes-settled has not passed in time\. Waits for the copy of volume .* to be built\. \(99 %/);
    const deletions = steps.flatMap(({ step: { action }, state }) => (action.do === 'delete-pods' ? [{ pods: action.pods, state }] : []));
    const its = deletions.findIndex(({ pods }) => pods.includes(moved));
    expect(deletions.map(({ state }) => state)).toEqual(deletions.map((_, index) => (index <= its ? 'done' : 'planned')));

    const gate = 'volumes-settled';
    expect((await upgrades.order(id, 'retry')).status).toBe(200);
    await waits(id, /^volumes-settled: Waits for the copy/);
    expect((await upgrades.order(id, 'skip', { gate, reason: 'because' }, 'alice')).status).toBe(403);
    expect((await upgrades.order(id, 'skip', { gate })).status).toBe(400);
    expect((await upgrades.order(id, 'skip', { gate: 'agreement', reason: 'the wrong one' })).status).toBe(409);
    expect((await upgrades.order(id, 'skip', { gate, reason: 'the disk is being replaced' })).status).toBe(200);
    await longhorn.fault(moved, undefined);

    await upgrades.reaches(id, 'finished');
    const all = await upgrades.report(id);
    expect(did(all)).toEqual(['requested', 'approve', 'retry', 'skip']);
    expect(all.audit.at(-1)?.about).toMatch(/^volumes-settled of step .*: the disk is being replaced$/);
    expect(all.steps.filter(({ state }) => state === 'skipped').map(({ step }) => step.id)).toEqual([
      expect.stringMatching(/volumes-settled$/),
    ]);
    expect(all.summary).toMatch(/Skipped by an operator: \d+-volumes-settled/);
    await cluster.configure(SETTINGS);
  }, 600_000);
});

describe('a volume that is not well', () => {
  test('before the first member: nothing is touched', async () => {
    await longhorn.cordoned();
    await longhorn.fault('lxd-1', 'degraded');
    const touched = async () => {
      const pods = (await cluster.pods()).map(({ metadata }) => metadata.uid).sort();
      return { pods, template: await cluster.kubectl(['get', 'statefulset', 'lxd', '-o', 'jsonpath={.metadata.generation}']) };
    };
    const before = await touched();
    const id = await upgrades.begin({ image: await nextImage() });
    const { plans } = await upgrades.approve(id);
    const said = plans[0]?.preflight.find(({ call }) => call.gate === 'volumes-settled');
    expect(said?.outcome).toMatchObject({ is: 'waiting', reason: expect.stringContaining('of lxd-1') });

    await waits(id, /^volumes-settled: Longhorn has yet to replace the copy of volume \S+ of lxd-1 on node-\d, which is in error\.$/);
    expect((await upgrades.order(id, 'abort', { reason: 'a disk is broken' })).status).toBe(200);
    await upgrades.reaches(id, 'ended');
    expect((await upgrades.report(id)).summary).toMatch(/Aborted before anything was changed/);
    expect(await touched()).toEqual(before);
  }, 300_000);
});

describe('lockstep at once', () => {
  test('keeps each pod on its node beside a spare one, and looks at volumes before the first and after the last member only', async () => {
    await longhorn.cordoned();
    const before = await longhorn.nodes();
    const id = await upgrades.begin({ image: await nextImage(), environment: { [BUMP]: '1' } });
    const { plans } = await upgrades.approve(id, 'lockstep-parallel');
    expect(plans.map(({ warnings }) => warnings.some(({ code }) => code === 'leaves-its-node'))).toEqual([false, false]);
    await upgrades.reaches(id, 'finished');
    const all = await upgrades.report(id);
    expect(did(all)).toEqual(['requested', 'approve']);
    expect(await longhorn.nodes()).toEqual(before);
    const kinds = all.steps.map(({ step }) => (step.action.do === 'wait-for-gate' ? step.action.gate : step.action.do));
    const looks = kinds.flatMap((kind) => (['volumes-settled', 'patch-template', 'delete-pods'].includes(kind) ? [kind] : []));
    expect(looks).toEqual(['volumes-settled', 'patch-template', 'delete-pods', 'volumes-settled']);
    expect(all.steps.every(({ state }) => state === 'done')).toBe(true);
    const left = await cluster.kubectl(['get', 'pods', '-l', 'webspaces.netsoc.ie/upgrade', '--no-headers', '-o', 'name']);
    expect(left.trim()).toBe('');
    report('lockstep at once on volumes', `LXD's API away for ${all.api?.seconds} s, expected ${all.api?.expectedSeconds} s`);
  }, 600_000);
});
