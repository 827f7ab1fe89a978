import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Proposal } from '#libs/contracts/upgrade-activities.js';
import type { GateOutcome } from '#libs/domain/upgrade/gates.js';
import { healthy, plan } from '#libs/domain/upgrade/narrations/plans.js';
import { BUMPED, desiredOf, NEWER } from '#libs/domain/upgrade/narrations/scenarios.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGitops } from './create-gitops.js';
import { createTemplateWay } from './create-template-way.js';
import type { GitopsSettings, TemplateRequest, TemplateWay } from './types.js';

const REPOSITORY = 'society/flux';
const FILE = 'clusters/one/lxd.yaml';
const RELEASE = `# LXD, by the society
kind: HelmRelease
spec:
  values:
    image: lxd:1 # keep
    bump: ''
    enableProbes: true
`;
const TOKEN = 'ghp_a-secret-that-nobody-shall-see';
const SETTINGS: GitopsSettings = {
  ...{ repository: REPOSITORY, base: 'main', file: FILE, imagePath: 'spec.values.image', probesPath: 'spec.values.enableProbes' },
  ...{ environmentPaths: { LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS: 'spec.values.bump' }, merge: 'person' },
};
const PLAN = plan(healthy, desiredOf(NEWER, { way: 'gitops', probes: 'template' }));
const STEP: TemplateRequest = { plan: PLAN, stepId: '07-patch-template', operationId: 'upgrade-cluster-one/17', build: NEWER, probes: [] };
const WANTED = RELEASE.replace('lxd:1', 'lxd:2').replace('enableProbes: true', 'enableProbes: false');
const UNSEEN: GateOutcome = { is: 'waiting', reason: 'StatefulSet lxd still has lxd:1.' };

let folder: string;
let double: GithubDouble;
let ways: TemplateWay[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gitops-'));
  await writeFile(join(folder, 'token'), TOKEN);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  double = await newDouble();
});
afterEach(async () => {
  for (const way of ways) await way.close();
  ways = [];
  await double.close();
});

async function newDouble(): Promise<GithubDouble> {
  const made = await startGithubDouble();
  made.access.tokens.add(TOKEN);
  made.repository(REPOSITORY, { [FILE]: RELEASE, 'README.md': 'text' });
  return made;
}

function way(changes: Partial<GitopsSettings> = {}, of = double): TemplateWay {
  const config = of.config({ auth: { kind: 'token', tokenFile: join(folder, 'token') } });
  const made = createTemplateWay({ ...SETTINGS, ...changes }, createGitops(config));
  ways.push(made);
  return made;
}

const repository = () => double.repository(REPOSITORY, {});
const bob = () => double.person(REPOSITORY, 'bob');
const main = () => repository().tip('main').files[FILE];

/** What there is beside the beginning: branches, commits and pull requests. */
function made(of = double) {
  const { state } = of.repository(REPOSITORY, {});
  return { branches: Object.keys(state.branches).length - 1, commits: Object.keys(state.commits).length - 2, pulls: state.pulls.length };
}

describe('the template by pull request', () => {
  test('is one branch, one commit that changes the values alone, and one pull request with the plan', async () => {
    const proposal = await way().apply(STEP);
    expect(proposal).toMatchObject({ number: 1, branch: 'webspaces/upgrade-cluster-one-17/07-patch-template' });
    expect(made()).toEqual({ branches: 1, commits: 1, pulls: 1 });
    expect(repository().tip(proposal.branch).files).toEqual({ [FILE]: WANTED, 'README.md': 'text' });
    expect(main()).toBe(RELEASE);
    const [pull] = repository().state.pulls;
    expect(pull?.title).toContain('lxd:2');
    for (const text of [PLAN.hash, PLAN.why, 'lxd:1', 'lockstep', 'delete pod', PLAN.wayBack]) expect(pull?.body).toContain(text);
  });

  test('passes when a person has merged it and the cluster shows it', async () => {
    const gitops = way();
    const proposal = await gitops.apply(STEP);
    expect(await gitops.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/waits for a person to merge/) });
    bob().merge(proposal.number);
    expect(await gitops.read(proposal)).toMatchObject({ is: 'passed', because: expect.stringMatching(/merged into main by bob as /) });
    expect(await gitops.read(proposal, { shown: { is: 'passed', because: 'It shows.' } })).toMatchObject({ is: 'passed' });
    expect(main()).toBe(WANTED);
  });

  test('waits with a reason while the cluster does not follow', async () => {
    const gitops = way();
    const proposal = await gitops.apply(STEP);
    bob().merge(proposal.number);
    const outcome = await gitops.read(proposal, { shown: UNSEEN });
    expect(outcome).toMatchObject({
      is: 'waiting',
      reason: expect.stringMatching(/merged.*does not show it: StatefulSet lxd still has lxd:1.*Flux/s),
    });
  });

  test('a squash merge is a merge, and a branch that is removed after it changes nothing', async () => {
    const gitops = way();
    const proposal = await gitops.apply(STEP);
    bob().merge(proposal.number, 'squash');
    repository().removeBranch(proposal.branch);
    expect(await gitops.read(proposal)).toMatchObject({ is: 'passed' });
    expect(await gitops.apply(STEP)).toEqual(proposal);
  });

  test('a conflict on the branch fails, with who has to do what', async () => {
    const gitops = way({ merge: 'ours' });
    const proposal = await gitops.apply(STEP);
    bob().push(FILE, 'lxd:1', 'lxd:1.1');
    expect(await gitops.read(proposal)).toMatchObject({
      ...{
        is: 'failed',
        reason: expect.stringMatching(/conflicts with main/),
        remedy: expect.stringMatching(/Merge main into webspaces\//),
      },
    });
    // As the remedy says.
    bob().close(proposal.number);
    expect(await gitops.read(proposal)).toMatchObject({ is: 'failed', reason: expect.stringMatching(/was closed by bob without a merge/) });
  });

  test('a failing check fails by its name, and passes when it was mended', async () => {
    const gitops = way();
    const proposal = await gitops.apply(STEP);
    bob().check(proposal.number, 'kubeconform', 'pending');
    bob().check(proposal.number, 'policy', 'passed', 'status');
    expect(await gitops.read(proposal)).toMatchObject({
      ...{ is: 'waiting', reason: expect.stringMatching(/checks .* waited for: kubeconform/), progress: '1 of 2 checks passed' },
    });
    bob().check(proposal.number, 'kubeconform', 'failed');
    expect(await gitops.read(proposal)).toMatchObject({ is: 'failed', reason: expect.stringMatching(/1 check .* failed: kubeconform/) });
    bob().check(proposal.number, 'kubeconform', 'passed');
    expect(await gitops.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/waits for a person/) });
  });

  test.each(['before the cluster shows it', 'after it'])('a revert by a person %s fails with who and which commit', async (when) => {
    const gitops = way();
    const proposal = await gitops.apply(STEP);
    bob().merge(proposal.number);
    bob().push(FILE, '# LXD, by the society', '# LXD');
    const { sha } = double.person(REPOSITORY, 'carol').revert(proposal.number);
    bob().push(FILE, '# keep', '# kept');
    const shown: GateOutcome = when === 'after it' ? { is: 'passed', because: 'It shows.' } : UNSEEN;
    const outcome = await gitops.read(proposal, { shown });
    expect(outcome).toMatchObject({ is: 'failed', reason: expect.stringContaining('carol took them back') });
    expect(outcome).toMatchObject({ reason: expect.stringContaining(sha.slice(0, 12)) });
  });

  test('is merged by us only when that is configured, and all checks have passed', async () => {
    const ours = way({ merge: 'ours', requiredChecks: ['kubeconform'] });
    const proposal = await ours.apply(STEP);
    expect(await ours.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/waited for: kubeconform/) });
    bob().check(proposal.number, 'kubeconform', 'passed');
    expect(await way({ merge: 'person' }).read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/a person/) });
    expect(repository().pull(proposal.number)?.state).toBe('open');
    repository().setRules({ reviews: 'needed' });
    expect(await ours.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/rule of the repository/) });
    repository().setRules({ reviews: 'none' });
    expect(await ours.read(proposal)).toMatchObject({ is: 'passed', because: expect.stringMatching(/by webspaces-bot/) });
    expect(main()).toBe(WANTED);
  });

  test('is not merged by us when somebody has put more into it', async () => {
    const ours = way({ merge: 'ours' });
    const proposal = await ours.apply(STEP);
    bob().push(FILE, 'lxd:2', 'lxd:evil', proposal.branch);
    expect(await ours.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/Somebody has changed the branch/) });
    bob().push(FILE, 'lxd:evil', 'lxd:2', proposal.branch);
    bob().write('other.yaml', 'kind: Secret', proposal.branch);
    expect(await ours.read(proposal)).toMatchObject({ is: 'waiting' });
    expect(main()).toBe(RELEASE);
  });

  test('a head that moves between look and merge is not merged', async () => {
    const ours = way({ merge: 'ours' });
    const proposal = await ours.apply(STEP);
    double.faults.error(409, 'Head branch was modified. Review and try the merge again.', { match: /^PUT .*merge/, times: 1 });
    expect(await ours.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/Head branch was modified/) });
    expect(main()).toBe(RELEASE);
  });

  test('nothing is proposed when the base has the values already', async () => {
    const gitops = way();
    const proposal = await gitops.apply({ ...STEP, build: { image: 'lxd:1', environment: {} }, probes: ['liveness'] });
    expect([proposal.number, made()]).toEqual([0, { branches: 0, commits: 0, pulls: 0 }]);
    expect(await gitops.read(proposal)).toMatchObject({ is: 'passed' });
    await gitops.withdraw(proposal);
  });

  test('the second pull request brings the probes back', async () => {
    const gitops = way();
    const first = await gitops.apply(STEP);
    bob().merge(first.number);
    const second = await gitops.apply({ ...STEP, stepId: '21-patch-template', probes: ['liveness'] });
    expect(second.number).toBe(2);
    expect(repository().state.pulls[1]?.title).toMatch(/^Probes of .* back on$/);
    expect(repository().tip(second.branch).files[FILE]).toBe(RELEASE.replace('lxd:1', 'lxd:2'));
  });

  test('an abort closes what is open and removes its branch, and leaves what was merged', async () => {
    const gitops = way();
    const proposal = await gitops.apply(STEP);
    await gitops.withdraw(proposal);
    await gitops.withdraw(proposal);
    expect([repository().pull(1)?.state, made().branches]).toEqual(['closed', 0]);
    expect(await gitops.apply(STEP)).toEqual(proposal);
    expect(made()).toMatchObject({ branches: 0, pulls: 1 });
    const other = await gitops.apply({ ...STEP, stepId: '08-patch-template' });
    bob().merge(other.number);
    await gitops.withdraw(other);
    expect(main()).toBe(WANTED);
  });

  test('a variable has its own place, and one that has none is refused', async () => {
    const gitops = way();
    const { branch } = await gitops.apply({ ...STEP, build: BUMPED, probes: ['liveness'] });
    expect(repository().tip(branch).files[FILE]).toBe(RELEASE.replace("bump: ''", "bump: '1'"));
    const foreign = gitops.apply({ ...STEP, stepId: 'x', build: { image: 'lxd:2', environment: { OTHER: '1' } } });
    await expect(foreign).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('OTHER') });
  });

  test('an image in parts is written in parts', async () => {
    const text = 'image: {registry: ghcr.io, repository: society/lxd8s, tag: v1, digest: ""}\nenableProbes: true\n';
    double.repository('society/parts', { [FILE]: text });
    const gitops = way({ repository: 'society/parts', imagePath: 'image', environmentPaths: {}, probesPath: 'enableProbes' });
    const image = 'registry.example:5000/other/lxd8s:v2@sha256:00ff';
    const { branch } = await gitops.apply({ ...STEP, build: { image, environment: {} }, probes: ['liveness'] });
    expect(double.repository('society/parts', {}).tip(branch).files[FILE]).toBe(
      'image: {registry: registry.example:5000, repository: other/lxd8s, tag: v2, digest: "sha256:00ff"}\nenableProbes: true\n',
    );
  });
});

describe('what cannot be done', () => {
  test.each<readonly [string, Partial<GitopsSettings>, string, RegExp]>([
    [
      'a path that is not there',
      { imagePath: 'spec.values.lxd.image' },
      'INVALID_INPUT',
      /clusters\/one\/lxd\.yaml .*spec\.values\.lxd\.image/,
    ],
    ['no such file', { file: 'none.yaml' }, 'NOT_FOUND', /none\.yaml/],
    ['no such branch', { base: 'trunk' }, 'NOT_FOUND', /trunk/],
    ['a path that leaves the repository', { file: '../../../user' }, 'INVALID_INPUT', /no path of a file/],
  ])('%s: is said before anything is changed', async (_case, changes, code, says) => {
    await expect(way(changes).apply(STEP)).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
    expect(made()).toEqual({ branches: 0, commits: 0, pulls: 0 });
    expect(double.requests.every((line) => line.startsWith('GET'))).toBe(true);
  });

  test('a credential that may not write is DENIED_UPSTREAM, and no error holds it', async () => {
    double.access.readOnly.add(TOKEN);
    const error = await way()
      .apply(STEP)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'DENIED_UPSTREAM' });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(TOKEN);
  });

  test('a limit in the middle is told with its time, and the next attempt goes on', async () => {
    double.faults.secondaryLimit({ retryAfterSeconds: 1, match: /^PUT/, times: 1 });
    await expect(way().apply(STEP)).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterMs: 1000 } });
    await way().apply(STEP);
    expect(made()).toEqual({ branches: 1, commits: 1, pulls: 1 });
  });

  test('an abort of the caller ends a call that hangs', async () => {
    double.faults.hang({ match: /^POST .*pulls/ });
    const controller = new AbortController();
    const applied = way().apply(STEP, controller.signal);
    while (!double.requests.some((line) => line.startsWith('POST api /repos/society/flux/pulls'))) await new Promise(setImmediate);
    controller.abort(new Error('enough'));
    await expect(applied).rejects.toThrow('enough');
  });
});

describe('a crash at any point', () => {
  const CLEAN_CALLS = 9;

  test(`a clean run takes ${CLEAN_CALLS} calls`, async () => {
    await way().apply(STEP);
    expect(double.counts.api).toBe(CLEAN_CALLS);
  });

  const points = Array.from({ length: CLEAN_CALLS }, (_, at) => at).flatMap((at) => [
    [at, 'unheard', 'drop'] as const,
    [at, 'unanswered', 'lose'] as const,
  ]);
  test.each(points)(
    'after %i calls, with the next one %sd: run again it is one branch, one commit, one pull request',
    async (after, _how, kind) => {
      double.faults.add({ kind }, { after, times: 1 });
      await expect(way().apply(STEP)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      const proposal: Proposal = await way().apply(STEP);
      expect(made()).toEqual({ branches: 1, commits: 1, pulls: 1 });
      expect(repository().tip(proposal.branch).files[FILE]).toBe(WANTED);
    },
  );

  test('two at the same time make one, too', async () => {
    const [one, two] = await Promise.all([way().apply(STEP), way().apply(STEP)]);
    expect(one).toEqual(two);
    expect(made()).toEqual({ branches: 1, commits: 1, pulls: 1 });
  });

  test('a merge whose answer is lost is seen at the next look', async () => {
    const ours = way({ merge: 'ours' });
    const proposal = await ours.apply(STEP);
    double.faults.add({ kind: 'lose' }, { match: /^PUT .*merge/, times: 1 });
    await expect(ours.read(proposal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await ours.read(proposal)).toMatchObject({ is: 'passed' });
    expect(made().commits).toBe(2);
  });
});
