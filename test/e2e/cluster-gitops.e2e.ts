import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, DEFAULTS } from '#lab/cluster/manifests.js';
import { labGithubWriter } from '#lab/flux/part.js';
import { FLUX } from '#lab/flux/repository.js';
import { waitFor } from '#lab/wait.js';
import { githubSchema } from '#libs/config/github.js';
import type { Proposal } from '#libs/contracts/upgrade-activities.js';
import { healthy, plan } from '#libs/domain/upgrade/narrations/plans.js';
import { desiredOf, NEWER } from '#libs/domain/upgrade/narrations/scenarios.js';
import type { ProbeKind } from '#libs/domain/upgrade/observed.js';
import { createGitops } from '#libs/gitops/create-gitops.js';
import { createTemplateWay } from '#libs/gitops/create-template-way.js';
import type { TemplateWay } from '#libs/gitops/types.js';

interface Template {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly { image: string; env?: { name: string; value?: string }[]; readinessProbe?: object }[];
      };
    };
  };
}

let cluster: ClusterLab;
let way: TemplateWay;
beforeAll(async () => {
  cluster = await startClusterLab({ nodes: 1, members: 1, apps: 'none' });
  await cluster.flux.ensure();
  const config = githubSchema.parse(labGithubWriter(cluster.lab.profile));
  way = createTemplateWay({ ...FLUX, merge: 'person' }, createGitops(config));
}, 900_000);
afterAll(async () => {
  cluster?.flux.resume();
  await cluster?.flux.process.stop();
  await way?.close();
}, 60_000);

async function template(): Promise<{ image: string | undefined; bump: string | undefined; probes: 'there' | 'none' }> {
  const object = JSON.parse(await cluster.kubectl(['get', 'statefulset', 'lxd', '-o', 'json'])) as Template;
  const [lxd] = object.spec.template.spec.containers;
  const bump = lxd?.env?.find(({ name }) => name === BUMP)?.value;
  return { image: lxd?.image, bump, probes: lxd?.readinessProbe === undefined ? 'none' : 'there' };
}

const shows = (wanted: Awaited<ReturnType<typeof template>>) =>
  waitFor(
    'the StatefulSet to follow',
    async () => {
      expect(await template()).toEqual(wanted);
      return true;
    },
    { timeoutMs: 30_000, intervalMs: 200 },
  );

let steps = 0;
function propose(image: string, bump: string, probes: readonly ProbeKind[]): Promise<Proposal> {
  steps += 1;
  const of = plan(healthy, desiredOf(NEWER, { way: 'gitops', probes: 'template' }));
  const operationId = `e2e-${process.pid}-${Date.now()}`;
  return way.apply({ plan: of, stepId: `${steps}-patch-template`, operationId, build: { image, environment: { [BUMP]: bump } }, probes });
}

const FIRST = { image: DEFAULTS.image, bump: '0', probes: 'there' } as const;

describe('a template by pull request, in a cluster that follows a repository', () => {
  test('the cluster shows what a person has merged, no pod is replaced, and a revert brings the old template back', async () => {
    const [before] = await cluster.pods();
    const proposal = await propose(IMAGES.lxdNext, '1', []);
    expect(await way.read(proposal)).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/a person/) });
    expect(await template()).toEqual(FIRST);
    await cluster.flux.act('merge', { number: proposal.number, by: 'bob' });
    await shows({ image: IMAGES.lxdNext, bump: '1', probes: 'none' });
    expect(await way.read(proposal)).toMatchObject({ is: 'passed' });
    expect((await cluster.pods()).map(({ metadata }) => metadata.uid)).toEqual([before?.metadata.uid]);
    await cluster.flux.act('revert', { number: proposal.number, by: 'carol' });
    await shows(FIRST);
    expect(await way.read(proposal)).toMatchObject({ is: 'failed', reason: expect.stringContaining('carol') });
  }, 120_000);

  test('while nothing follows the repository the merge alone changes nothing, and the wait says so', async () => {
    cluster.flux.suspend();
    const proposal = await propose(IMAGES.lxdNext, '0', ['readiness']);
    await cluster.flux.act('merge', { number: proposal.number, by: 'bob' });
    const shown = { is: 'waiting', reason: `StatefulSet lxd still has ${DEFAULTS.image}.` } as const;
    expect(await way.read(proposal, { shown })).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/does not show it/) });
    expect(await template()).toEqual(FIRST);
    cluster.flux.resume();
    await shows({ ...FIRST, image: IMAGES.lxdNext });
    await cluster.flux.act('revert', { number: proposal.number, by: 'bob' });
    await shows(FIRST);
  }, 120_000);

  test('the simulator keeps its repository, and the applier goes on, when both are killed', async () => {
    const proposal = await propose(IMAGES.lxdNext, '0', ['readiness']);
    await cluster.lab.process('github').kill('SIGKILL');
    await cluster.flux.process.kill('SIGKILL');
    await cluster.flux.ensure();
    await cluster.flux.act('merge', { number: proposal.number, by: 'bob' });
    await shows({ ...FIRST, image: IMAGES.lxdNext });
    expect(await way.read(proposal)).toMatchObject({ is: 'passed' });
    await cluster.flux.act('revert', { number: proposal.number, by: 'bob' });
    await shows(FIRST);
  }, 120_000);
});
