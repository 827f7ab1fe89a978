import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, FAILS_AS_MEMBER } from '#lab/cluster/manifests.js';
import { FLUX } from '#lab/flux/repository.js';
import { waitFor } from '#lab/wait.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { GitopsUpgrades } from '../support/gitops-upgrades.js';
import { report } from '../support/lab-session.js';

let cluster: ClusterLab;
let upgrades: GitopsUpgrades;

interface Seen {
  readonly pods: readonly { readonly name: string; readonly probes: readonly string[]; readonly build: { readonly image: string } }[];
  readonly statefulSet: {
    readonly updateStrategy: object;
    readonly template: { readonly build: { readonly image: string; readonly environment: object }; readonly probes: readonly string[] };
  };
}

async function look(): Promise<Seen> {
  return (await cluster.lab.api('admin', 'GET', '/v2/clusters/lab')).json<Seen>();
}

/** Every running pod and the template have that image and as many probes. */
async function allRun(image: string, probes: number): Promise<void> {
  const { pods, statefulSet } = await look();
  const each = [
    ...pods.map(({ build, ...pod }) => [build.image, pod.probes.length]),
    [statefulSet.template.build.image, statefulSet.template.probes.length],
  ];
  expect(each).toEqual(Array(cluster.memberNames.length + 1).fill([image, probes]));
}

/** Whether the StatefulSet says which probes an upgrade has taken out. */
async function probesWrittenDown(): Promise<boolean> {
  const { metadata } = JSON.parse(await cluster.kubectl(['get', 'statefulset', 'lxd', '-o', 'json'])) as {
    metadata: { annotations?: object };
  };
  return UPGRADE_KEYS.probes in (metadata.annotations ?? {});
}

const uids = async () => (await cluster.pods()).map(({ metadata }) => metadata.uid).sort();

/** Waits for the cluster to follow what a person did in the repository. */
const shows = (image: string) =>
  waitFor('the StatefulSet to follow', async () => (await look()).statefulSet.template.build.image === image, {
    timeoutMs: 60_000,
    intervalMs: 250,
  });

describe('a rolling upgrade by pull request, merged by people', () => {
  beforeAll(async () => {
    cluster = await startClusterLab({ probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete', cluster: 'anew' });
    upgrades = await GitopsUpgrades.open(cluster, { merge: 'person', probes: 'lease', podProbes: 'lease' });
  }, 900_000);
  afterAll(() => upgrades?.close(), 120_000);

  test('closed without a merge it fails in words, and ends with nothing changed', async () => {
    const [before, template] = [await uids(), (await look()).statefulSet];
    const id = await upgrades.begin({ image: IMAGES.lxdNext });
    const { plans } = await upgrades.approve(id);
    const { number, body } = await upgrades.proposed(id);
    for (const text of [plans[0]?.hash, plans[0]?.why, IMAGES.lxdNext, 'delete pod']) expect(body).toContain(text);
    await cluster.flux.act('close', { number, by: 'carol' });
    const { wait } = await upgrades.reaches(id, 'failed-step');
    expect(wait?.for).toMatch(new RegExp(`pull/${number} was closed by carol without a merge`));
    expect((await upgrades.order(id, 'skip', { gate: 'change-merged', reason: 'no' })).status).toBe(409);
    expect((await upgrades.order(id, 'abort', { reason: 'carol does not want it' })).status).toBe(200);
    await upgrades.reaches(id, 'went-back');
    expect(await uids()).toEqual(before);
    expect((await look()).statefulSet).toEqual(template);
  }, 300_000);

  test('goes as planned after the merge; while the cluster does not follow, it names Flux and touches no pod', async () => {
    const before = await uids();
    cluster.flux.suspend();
    const observer = await cluster.observe();
    const id = await upgrades.begin({ image: IMAGES.lxdNext });
    await upgrades.approve(id);
    const { number } = await upgrades.proposed(id);
    await cluster.flux.act('merge', { number, by: 'bob' });
    const { wait } = await upgrades.waits(id, /template-shown: /);
    expect(wait?.for).toMatch(/merged into main by bob as [0-9a-f]{12}, and the cluster does not show it: .*see whether Flux is suspended/);
    expect(await uids()).toEqual(before);
    cluster.flux.resume();
    await upgrades.reaches(id, 'finished');
    expect(await observer.stop()).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    const { members, steps, audit } = await upgrades.report(id);
    expect(steps.every(({ state }) => state === 'done')).toBe(true);
    expect(steps.find(({ step }) => step.action.do === 'patch-template')?.result).toMatch(new RegExp(`pull/${number}$`));
    expect(audit.map(({ did }) => did)).toEqual(['requested', 'approve']);
    await allRun(IMAGES.lxdNext, 3);
    for (const { member, away } of members) report(member, `by pull request, away for ${away[0]?.seconds} s`);
  }, 420_000);

  test('reverted before the cluster followed, it says by whom, and ends with nothing changed', async () => {
    const before = await uids();
    const { image } = (await look()).statefulSet.template.build;
    cluster.flux.suspend();
    const id = await upgrades.begin({ image: image === IMAGES.lxd ? IMAGES.lxdNext : IMAGES.lxd });
    await upgrades.approve(id);
    const { number } = await upgrades.proposed(id);
    await cluster.flux.act('merge', { number, by: 'bob' });
    await upgrades.waits(id, /template-shown.*Flux/);
    await cluster.flux.act('revert', { number, by: 'carol' });
    const { wait } = await upgrades.reaches(id, 'failed-step');
    expect(wait?.for).toMatch(/carol took them back, by commit [0-9a-f]{12}/);
    cluster.flux.resume();
    await upgrades.order(id, 'abort', { reason: 'carol took it back' });
    await upgrades.reaches(id, 'went-back');
    expect(await uids()).toEqual(before);
    await allRun(image, 3);
  }, 300_000);

  test('reverted in the middle, it stops before the next pod and says by whom; with the values back it goes on to the end', async () => {
    const from = (await look()).statefulSet.template.build.image;
    const to = from === IMAGES.lxd ? IMAGES.lxdNext : IMAGES.lxd;
    const observer = await cluster.observe();
    const id = await upgrades.begin({ image: to });
    await upgrades.approve(id);
    const { number } = await upgrades.proposed(id);
    await cluster.flux.act('merge', { number, by: 'bob' });
    await upgrades.stepDone(id, 'delete-pods');
    expect((await upgrades.order(id, 'pause')).status).toBe(200);
    await upgrades.reaches(id, 'paused');
    const replaced = async () => (await look()).pods.filter(({ build }) => build.image === to);
    await waitFor('the first pod', async () => (await replaced()).length > 0, { timeoutMs: 60_000, intervalMs: 250 });
    const there = (await replaced()).map(({ name }) => name);
    await cluster.flux.act('revert', { number, by: 'carol' });
    await shows(from);
    expect((await upgrades.order(id, 'resume')).status).toBe(200);
    const { wait } = await upgrades.reaches(id, 'failed-step');
    expect(wait?.for).toMatch(/carol took them back, by commit [0-9a-f]{12}/);
    expect((await replaced()).map(({ name }) => name)).toEqual(there);
    await cluster.flux.act('push', { file: FLUX.file, from, to, by: 'carol' });
    await shows(to);
    expect((await upgrades.order(id, 'retry')).status).toBe(200);
    await upgrades.reaches(id, 'finished');
    expect(await observer.stop()).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    await allRun(to, 3);
  }, 480_000);

  test('aborted after a bad image, it goes back by a pull request that takes the change back', async () => {
    const { template } = (await look()).statefulSet;
    const { image } = template.build;
    const observer = await cluster.observe();
    const id = await upgrades.begin({ image, environment: { [FAILS_AS_MEMBER]: '1' } });
    await upgrades.approve(id);
    const forth = await upgrades.proposed(id);
    await cluster.flux.act('merge', { number: forth.number, by: 'bob' });
    const { wait } = await upgrades.reaches(id, 'failed-step');
    expect(wait?.for).toMatch(/CrashLoopBackOff/);
    await upgrades.order(id, 'abort', { reason: 'bad image' });
    const back = await upgrades.proposed(id, { after: forth.number });
    expect(back).toMatchObject({ title: `Bring lab back to ${image}`, state: 'open' });
    await cluster.flux.act('merge', { number: back.number, by: 'bob' });
    await upgrades.reaches(id, 'went-back');
    expect(await observer.stop()).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    expect((await upgrades.report(id)).summary).toMatch(/The old state is back/);
    await cluster.agreed(30_000);
    expect((await look()).statefulSet.template).toEqual(template);
    await allRun(image, 3);
  }, 480_000);
});

describe('an upgrade in lockstep by pull request, merged by us, with the probes out of the template meanwhile', () => {
  beforeAll(async () => {
    cluster = await startClusterLab({ probes: 'exec', podManagementPolicy: 'OrderedReady', updateStrategy: 'OnDelete', cluster: 'anew' });
    upgrades = await GitopsUpgrades.open(cluster, { merge: 'ours', requiredChecks: ['chart'], probes: 'template', podProbes: 'exec' });
  }, 900_000);
  afterAll(() => upgrades?.close(), 120_000);

  test('is merged when its check has passed, and a second pull request returns the probes to every running pod', async () => {
    const id = await upgrades.begin({ image: IMAGES.lxdNext, environment: { [BUMP]: '1' } });
    await upgrades.approve(id, 'lockstep-parallel');
    const reason = /are waited for: chart/;
    const first = await upgrades.proposed(id, { reason });
    expect(first.title).toMatch(/probes off meanwhile/);
    await cluster.flux.act('check', { number: first.number, name: 'chart', state: 'passed' });
    const second = await upgrades.proposed(id, { reason, after: first.number });
    expect(second).toMatchObject({ title: 'Probes of lab back on', state: 'open' });
    await allRun(IMAGES.lxdNext, 0);
    expect(await probesWrittenDown()).toBe(true);
    await cluster.flux.act('check', { number: second.number, name: 'chart', state: 'passed' });
    await upgrades.reaches(id, 'finished');
    await cluster.agreed(60_000);
    await allRun(IMAGES.lxdNext, 2);
    expect(await probesWrittenDown()).toBe(false);
    const { api, audit } = await upgrades.report(id);
    expect(audit.map(({ did }) => did)).toEqual(['requested', 'approve']);
    report('lockstep-parallel by pull request', `LXD's API away for ${api?.seconds} s, expected ${api?.expectedSeconds} s`);
  }, 600_000);
});
