import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Locks } from '#activities/kubernetes/lock.js';
import { clusterLockSteps } from '#activities/upgrade/cluster-lock.js';
import { copiesSteps } from '#activities/upgrade/copies.js';
import { deletePodsSteps } from '#activities/upgrade/delete-pods.js';
import { Clusters, type UpgradeDeps } from '#activities/upgrade/deps.js';
import { evacuateSteps } from '#activities/upgrade/evacuate.js';
import { observe } from '#activities/upgrade/observe.js';
import { planSteps } from '#activities/upgrade/plan.js';
import { prepareSteps } from '#activities/upgrade/prepare.js';
import { probeTargetSteps } from '#activities/upgrade/probe-target.js';
import { templateSteps } from '#activities/upgrade/template.js';
import { watchSteps } from '#activities/upgrade/watch-gate.js';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { clustersSchema } from '#libs/config/clusters.js';
import { UPGRADE_KEYS, type UpgradeInput } from '#libs/contracts/upgrades.js';
import type { GateCall } from '#libs/domain/upgrade/gates.js';
import type { Build, ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import { report } from '../support/lab-session.js';
import { RESTORED, startRestored } from '../support/restored-lxd.js';
import { OPEN_RUNS, upgradeActing, upgradeCall } from '../support/upgrade-call.js';

const NAMES = ['lxd-0', 'lxd-1', 'lxd-2'];
const PLAN = { cluster: 'c1', hash: 'h', kind: 'rolling' } as const;
const OLD: Build = { image: IMAGES.lxd, environment: { [BUMP]: '0' } };
const VERSIONS = { schema: 60, apiExtensions: 318 };
const BUMPED = { schema: 60, apiExtensions: 319 };

let cluster: ClusterLab;
let main: KubernetesClient;
let kube: KubernetesClient;
let deps: UpgradeDeps;
let folder: string;
const call = upgradeCall('op');
const acting = upgradeActing('c1', 'op');

beforeAll(async () => {
  cluster = await startClusterLab({ apps: 'none', cluster: 'anew' });
  folder = mkdtempSync(join(tmpdir(), 'webspaces-copies-'));
  // With the worker's own Role: what it may not do fails here.
  await cluster.lab.kubectl(['apply', '--server-side', '-f', join(projectRoot(), 'deploy', 'chart', 'files', 'clusters', 'worker.yaml')]);
  main = new KubernetesClient({ kubeconfig: cluster.lab.kubeconfigOf('webspaces-worker'), namespace: 'webspaces' });
  kube = main.in(CLUSTER.namespace);
  const clusters = new Clusters(clustersSchema.parse([{ name: 'c1', namespace: CLUSTER.namespace, pollSeconds: 0.5 }]), main);
  deps = {
    runs: OPEN_RUNS,
    locks: new Locks(main, OPEN_RUNS),
    clusters,
    leadAwayFromMembers: async () => undefined,
    copiesFolder: folder,
    log: createLogger({ name: 'spec', level: 'silent' }),
  };
  await clusterLockSteps(deps).takeClusterLock(call, acting, 'c1');
}, 600_000);
afterAll(async () => {
  await clusterLockSteps(deps).finishUpgrade(call, acting, 'c1');
  await main?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function look(image = OLD.image): Promise<ObservedCluster> {
  return (await observe(deps, { cluster: 'c1', operationId: 'op', image, signal: call.signal })).observed;
}

const input = (image: string, environment: Readonly<Record<string, string>> = {}): UpgradeInput => ({
  ...{ name: acting.name, cluster: 'c1', operationId: 'op', requestedBy: { subject: '1', username: 'root' } },
  image,
  environment,
});

/** Until the gate does not wait, or waits for what is expected. */
function gate(wanted: GateCall, build: Build, versions = VERSIONS, knownReason?: string) {
  return watchSteps(deps).watchGate(call, acting, 'c1', {
    call: wanted,
    aim: { build, versions, probes: [], nodes: {}, stuckSeconds: 60 },
    settleSeconds: 0,
    deadline: new Date(Date.now() + 120_000).toISOString(),
    knownReason: knownReason ?? '',
    returnOn: knownReason === undefined ? 'outcome' : 'change',
    returnAfterSeconds: 120,
    passingSince: undefined,
  });
}

/** As Temporal does with what was written since it was read. */
async function untilFresh(run: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (!isPlatformError(error, 'STALE') || tries === 5) throw error;
    }
  }
}

async function replace(build: Build, pods: readonly string[]): Promise<void> {
  const statefulSet = { do: 'patch-template', build, probes: ['readiness', 'startup'], way: 'statefulset' } as const;
  await untilFresh(() => templateSteps(deps).patchTemplate(call, acting, PLAN, statefulSet));
  await deletePodsSteps(deps).deletePods(call, acting, PLAN, { pods, members: pods, build, quorum: 'kept' });
}

const replacing = async () => (await main.get('lease', acting.name)).metadata.annotations?.[UPGRADE_KEYS.replacing];

describe('the cluster as it is', () => {
  it('is read in all its parts, quickly', async () => {
    await cluster.launchWeb('lxd-1');
    const begun = Date.now();
    const observed = await look();
    report('one look', `${Date.now() - begun} ms`);
    const rows = await cluster.exec('lxd-0', ['lxd', 'sql', 'global', 'SELECT name, schema, api_extensions FROM nodes']);
    for (const name of NAMES) expect(rows).toMatch(new RegExp(`${name}\\s*\\| ${VERSIONS.schema}\\s*\\| ${VERSIONS.apiExtensions}`));
    const leader = (await cluster.members()).find(({ roles }) => roles.includes('database-leader'))?.server_name;
    expect(NAMES).toContain(leader);
    expect(observed).toMatchObject({ name: 'c1', leader, alignment: 'upwards', storage: 'unwatched', volumes: [], operations: [] });
    expect([...observed.members].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      NAMES.map((name) => ({
        name,
        pod: name,
        architecture: 'x86_64',
        status: 'Online',
        message: 'Fully operational',
        answers: 'serving',
        versions: VERSIONS,
        database: 'voter',
        instancesRunning: name === 'lxd-1' ? 1 : 0,
      })),
    );
    expect(observed.statefulSet).toMatchObject({
      name: 'lxd',
      replicas: 3,
      updateStrategy: { type: 'OnDelete' },
      template: { build: OLD },
    });
    const { updateRevision } = observed.statefulSet;
    for (const pod of observed.pods) {
      expect(pod).toMatchObject({ revision: updateRevision, build: OLD, phase: 'Running', ready: 'yes', deleting: 'no' });
      expect(pod.probes).toEqual(['readiness', 'startup']);
    }
    const nodes = observed.pods.map(({ node }) => node);
    expect(new Set(nodes).size).toBe(3);
    expect(observed.images).toEqual(nodes.map((node) => ({ node, state: 'present' })));
  }, 60_000);

  it('is read no slower for a member that is cut off, which is silent', async () => {
    await look();
    const { node = '' } = (await look()).pods.find(({ name }) => name === 'lxd-2') ?? {};
    await cluster.setNodeLink(node, 'down');
    try {
      const begun = Date.now();
      const { members } = await look();
      const tookMs = Date.now() - begun;
      report('one look, a node cut off', `${tookMs} ms`);
      expect(members.find(({ name }) => name === 'lxd-2')).toMatchObject({ answers: 'silent', versions: VERSIONS });
      expect(tookMs).toBeLessThan(4_000);
    } finally {
      await cluster.setNodeLink(node, 'up');
    }
    await cluster.agreed(90_000);
  }, 150_000);
});

describe('an image', () => {
  const steps = () => probeTargetSteps(deps);

  it('tells its versions from a throw-away instance, of which nothing is left', async () => {
    const begun = Date.now();
    const target = await steps().probeTargetVersion(call, acting, input(IMAGES.lxdNext, { [BUMP]: '1' }));
    report('versions of an image', `${Date.now() - begun} ms`);
    expect(target).toMatchObject({ versions: BUMPED, serverVersion: '5.0.2', alignment: 'upwards' });
    expect(target.architectures).toContain('x86_64');
    expect(target.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    const left = async () => (await kube.list('wholePod', { labelSelector: UPGRADE_KEYS.operation })).length === 0;
    await waitFor('the end of the throw-away pod', left, { timeoutMs: 30_000 });
  }, 90_000);

  it('that does not come up is refused with its last words', async () => {
    const probe = steps().probeTargetVersion(call, acting, input(IMAGES.lxdBroken));
    await expect(probe).rejects.toMatchObject({
      code: 'OPERATION_FAILED',
      message: expect.stringMatching(/exit code 1 .*broken on purpose/s),
    });
  }, 60_000);

  it('is pulled to every node; one that cannot be had is a failure of the gate', async () => {
    await steps().pullImages(call, acting, input(IMAGES.lxdNext));
    await steps().pullImages(call, acting, input(IMAGES.lxdNext));
    const there = await gate({ gate: 'images-present', members: NAMES }, { ...OLD, image: IMAGES.lxdNext });
    expect(there.outcome.is).toBe('passed');
    await steps().pullImages(call, acting, input('127.0.0.1:1/nothing:1'));
    const failed = async () => (await look('127.0.0.1:1/nothing:1')).images.every(({ state }) => state === 'failed');
    await waitFor('it to fail everywhere', failed, { timeoutMs: 60_000 });
  }, 120_000);
});

describe('copies', () => {
  it('are whole, for their owner alone, and another LXD starts from them', async () => {
    const { place, files } = await copiesSteps(deps).saveCopies(call, acting, PLAN, NAMES);
    const names = files.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['global.sql', 'manifests.json', 'SHA256SUMS', ...NAMES.map((name) => `${name}.database.tar`)]),
    );
    for (const { name, sha256, sizeBytes } of files) {
      expect(statSync(join(place, name)).mode & 0o777).toBe(0o600);
      expect(sizeBytes).toBe(statSync(join(place, name)).size);
      expect(
        createHash('sha256')
          .update(readFileSync(join(place, name)))
          .digest('hex'),
      ).toBe(sha256);
    }
    expect(readFileSync(join(place, 'missing.txt'), 'utf8')).toBe('');
    const { node = '' } = (await look()).pods.find(({ name }) => name === 'lxd-1') ?? {};
    await startRestored(kube, { tar: join(place, 'lxd-0.database.tar'), data: join(folder, RESTORED), node });
    const sql = ['lxd', 'sql', 'global', 'SELECT name FROM nodes UNION SELECT name FROM instances'];
    const restored = await waitFor('the restored LXD', () => cluster.kubectl(['exec', RESTORED, '--', ...sql]), { timeoutMs: 60_000 });
    for (const name of [...NAMES, 'web-lxd-1']) expect(restored).toContain(name);
    await cluster.kubectl(['delete', 'pod', RESTORED, '--grace-period=1']);
  }, 150_000);
});

describe('a plan', () => {
  it('is the same while the cluster is, and says what has changed', async () => {
    const { desired: wanted } = await prepareSteps(deps).prepareUpgrade(call, acting, input(IMAGES.lxdNext));
    const target = {
      versions: VERSIONS,
      serverVersion: '5.0.2',
      digest: 'sha256:x',
      architectures: ['x86_64'],
      alignment: 'upwards',
    } as const;
    const desired = { ...wanted, target };
    const steps = planSteps(deps);
    const { planned, table } = await steps.planUpgrade(call, acting, 'c1', desired);
    expect(table.map(({ member }) => member)).toEqual(NAMES);
    const plan = planned.is === 'plans' ? planned.plans[0] : undefined;
    if (!plan) throw new Error(JSON.stringify(planned));
    expect(plan).toMatchObject({ kind: 'rolling', target: { build: { image: IMAGES.lxdNext } } });
    expect(await steps.confirmPlan(call, acting, plan, desired)).toEqual({ is: 'same' });
    await cluster.applyStatefulSet({ updateStrategy: 'RollingUpdate' });
    try {
      const changed = await steps.confirmPlan(call, acting, plan, desired);
      expect(changed).toMatchObject({ is: 'changed', differences: expect.arrayContaining([expect.stringContaining('update strategy')]) });
    } finally {
      await cluster.applyStatefulSet({ updateStrategy: 'OnDelete' });
    }
    expect(await steps.planWayBack(call, acting, plan, desired)).toMatchObject({ is: 'open' });
  }, 60_000);
});

describe('instances of a member', () => {
  it('are moved away and back, whoever asks how often', async () => {
    const steps = evacuateSteps(deps);
    const stateOf = async () => (await look()).members.find(({ name }) => name === 'lxd-1');
    const first = steps.evacuateMember(call, acting, PLAN, 'lxd-1');
    await waitFor('LXD to say so', async () => (await stateOf())?.status === 'Evacuated', { timeoutMs: 60_000, intervalMs: 50 });
    // LXD says so before it has moved anything: as after a worker's restart.
    await steps.evacuateMember(call, acting, PLAN, 'lxd-1');
    expect(await cluster.exec('lxd-1', ['lxc', 'operation', 'list', '--format', 'csv'])).not.toMatch(/Evacuating.*RUNNING/i);
    expect(await stateOf()).toMatchObject({ status: 'Evacuated', answers: 'serving' });
    await first;
    await steps.restoreMember(call, acting, PLAN, 'lxd-1');
    expect(await stateOf()).toMatchObject({ status: 'Online', instancesRunning: 1 });
  }, 120_000);
});

describe('members that are replaced', () => {
  it('come back with the new image, and are marked until they serve', async () => {
    const next = { ...OLD, image: IMAGES.lxdNext };
    await replace(next, ['lxd-2']);
    expect(await replacing()).toBe('lxd-2');
    const { outcome, table } = await gate({ gate: 'members-online', members: NAMES }, next);
    expect(outcome.is).toBe('passed');
    expect(table.map(({ member, answers, image }) => [member, answers, image.split(' ')[0]])).toEqual([
      ['lxd-0', 'serving', IMAGES.lxd],
      ['lxd-1', 'serving', IMAGES.lxd],
      ['lxd-2', 'serving', IMAGES.lxdNext],
    ]);
    expect(await replacing()).toBeUndefined();
  }, 120_000);

  it('can be read while they wait for others, and while none of them serves', async () => {
    await cluster.applyStatefulSet({ podManagementPolicy: 'Parallel' });
    const bumped = { image: IMAGES.lxdNext, environment: { [BUMP]: '1' } };
    await replace(bumped, ['lxd-2']);
    expect((await gate({ gate: 'member-recorded', members: ['lxd-2'] }, bumped, BUMPED)).outcome.is).toBe('passed');
    const blocked = await look();
    expect(blocked.members.find(({ name }) => name === 'lxd-2')).toMatchObject({ answers: 'waiting', versions: BUMPED });
    const behind = await gate({ gate: 'agreement', members: NAMES }, bumped, BUMPED, 'anything');
    expect(behind.outcome).toMatchObject({ is: 'waiting', progress: '1 of 3' });
    await replace(bumped, ['lxd-1']);
    expect((await gate({ gate: 'member-recorded', members: ['lxd-1'] }, bumped, BUMPED)).outcome.is).toBe('passed');
    await replace(bumped, ['lxd-0']);
    const none = await look();
    expect(none.members.map(({ name }) => name).sort()).toEqual(NAMES);
    for (const name of ['agreement', 'members-online'] as const) {
      expect((await gate({ gate: name, members: NAMES }, bumped, BUMPED)).outcome.is).toBe('passed');
    }
    expect(await replacing()).toBeUndefined();
  }, 240_000);
});

describe('the end', () => {
  it('leaves neither throw-away pods nor the lock', async () => {
    await clusterLockSteps(deps).finishUpgrade(call, acting, 'c1');
    await clusterLockSteps(deps).finishUpgrade(call, acting, 'c1');
    const left = async () => (await kube.list('wholePod', { labelSelector: UPGRADE_KEYS.operation })).length === 0;
    await waitFor('the end of the pods', left, { timeoutMs: 60_000 });
    expect(await main.find('lease', acting.name)).toBeUndefined();
  }, 90_000);
});
