import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, FAILS_AS_MEMBER } from '#lab/cluster/manifests.js';
import { hasQuorum } from '#lab/cluster/observer/samples.js';
import { PROBE_KINDS } from '#libs/domain/upgrade/observed.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import { report } from '../support/lab-session.js';

const OPTIONS = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
let cluster: ClusterLab;
let upgrades: Upgrades;
beforeAll(async () => {
  cluster = await startClusterLab({ ...OPTIONS, cluster: 'anew' });
  upgrades = new Upgrades(cluster);
}, 900_000);
afterAll(async () => {
  await cluster?.lab.process('worker').restart();
}, 60_000);

/** Every running pod has its probes and that image. */
async function podsRun(image: string): Promise<void> {
  const view = (await cluster.lab.api('admin', 'GET', '/v2/clusters/lab')).json<{
    pods: { probes: string[]; build: { image: string } }[];
  }>();
  expect(view.pods.map(({ probes, build }) => ({ probes: [...probes].sort(), image: build.image }))).toEqual(
    cluster.memberNames.map(() => ({ probes: [...PROBE_KINDS].sort(), image })),
  );
}

describe('a new image of the same versions', () => {
  test('rolls: each site is away only while its own member is replaced', async () => {
    const webs = [];
    for (const member of cluster.memberNames) webs.push(await cluster.launchWeb(member));
    const observer = await cluster.observe(webs);
    const id = await upgrades.begin({ image: IMAGES.lxdNext });
    const { plans } = await upgrades.approve(id);
    expect(plans.map(({ kind, quorum }) => [kind, quorum])).toEqual([['rolling', 'kept']]);
    await upgrades.reaches(id, 'finished');
    const seen = await observer.stop();
    const { members, steps } = await upgrades.report(id);
    expect(steps.every(({ state }) => state === 'done')).toBe(true);
    expect(members.map(({ member, away }) => [member, away.length])).toEqual(cluster.memberNames.map((member) => [member, 1]));
    expect(seen).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    await podsRun(IMAGES.lxdNext);
    for (const { member, away, expectedSeconds } of members) {
      report(member, `away for ${away[0]?.seconds} s, expected ${expectedSeconds} s`);
    }
  }, 600_000);

  test('there is nothing to do the second time', async () => {
    const id = await upgrades.begin({ image: IMAGES.lxdNext });
    expect(await upgrades.reaches(id, 'nothing-to-do')).toMatchObject({ phase: 'nothing-to-do' });
  }, 120_000);
});

describe('an image of other versions', () => {
  test.each(['lockstep-sequential', 'lockstep-parallel'] as const)(
    'goes in lockstep with one approval: %s',
    async (kind) => {
      const bump = kind === 'lockstep-sequential' ? '1' : '2';
      const observer = await cluster.observe();
      const id = await upgrades.begin({ image: IMAGES.lxdNext, environment: { [BUMP]: bump } });
      const { plans } = await upgrades.approve(id, kind);
      expect(plans.map((plan) => plan.kind)).toEqual(['lockstep-sequential', 'lockstep-parallel']);
      for (const { outage, pointOfNoReturn } of plans)
        expect([outage.api.seconds > 0, pointOfNoReturn !== undefined]).toEqual([true, true]);
      await upgrades.reaches(id, 'finished');
      const seen = await observer.stop();
      const { api, audit } = await upgrades.report(id);
      expect(audit.map(({ did }) => did)).toEqual(['requested', 'approve']);
      const without = observer.samples().filter((sample) => !hasQuorum(sample));
      if (kind === 'lockstep-sequential') expect(without).toEqual([]);
      else expect(without.length).toBeGreaterThan(0);
      await cluster.agreed(30_000);
      await podsRun(IMAGES.lxdNext);
      report(kind, `LXD's API away for ${api?.seconds} s (seen ${seen.apiOutageMs} ms), expected ${api?.expectedSeconds} s`);
    },
    600_000,
  );
});

describe('an image that does not start', () => {
  test('as a member: the rollout stops after one, and abort brings the old state back', async () => {
    const observer = await cluster.observe();
    const id = await upgrades.begin({ image: IMAGES.lxdNext, environment: { [FAILS_AS_MEMBER]: '1' } });
    await upgrades.approve(id);
    const { wait } = await upgrades.reaches(id, 'failed-step');
    expect(wait?.for).toMatch(/CrashLoopBackOff/);
    expect((await upgrades.order(id, 'abort', { reason: 'bad image' })).status).toBe(200);
    await upgrades.reaches(id, 'went-back');
    const seen = await observer.stop();
    expect(seen).toMatchObject({ maxDownAtOnce: 1, quorumLost: 0 });
    expect((await upgrades.report(id)).summary).toMatch(/The old state is back/);
    await cluster.agreed(30_000);
    await podsRun(IMAGES.lxdNext);
  }, 600_000);

  test('at all: it is refused before anything is planned', async () => {
    const id = await upgrades.begin({ image: IMAGES.lxdBroken });
    expect(await upgrades.reaches(id, 'ended')).toMatchObject({ phase: 'ended', steps: [] });
    await podsRun(IMAGES.lxdNext);
  }, 180_000);
});
