import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { BUMP, volumeOf } from '#lab/cluster/manifests.js';
import type { Observer } from '#lab/cluster/observer.js';
import { httpOverSocket } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { report } from '../support/lab-session.js';

/** How long a rollout that is blocked is watched without any progress. An unhindered one of three members takes less. */
const BLOCKED_MS = 20_000;
const HEALED_MS = 90_000;

let cluster: ClusterLab;
let observer: Observer | undefined;
let bump = 0;

beforeAll(async () => {
  const options = { members: 3, probes: 'exec', updateStrategy: 'RollingUpdate', cluster: 'anew' } as const;
  cluster = await startClusterLab({ profile: 'test', apps: 'none', ...options });
}, 300_000);
afterAll(async () => {
  await observer?.stop();
}, 30_000);

/** The pods that run the wanted version, and whether their LXD says that it is ready. */
async function updated(): Promise<readonly { readonly name: string; readonly ready: boolean }[]> {
  const pods = (await cluster.pods()).filter(({ metadata, spec }) => {
    const value = spec.containers[0]?.env?.find(({ name }) => name === BUMP)?.value;
    return metadata.deletionTimestamp === undefined && value === String(bump);
  });
  return Promise.all(pods.map(async ({ metadata: { name } }) => ({ name, ready: await isReady(name) })));
}

/** What LXD itself says; probes or no probes. One that waits for others leaves most questions without an answer. */
async function isReady(member: string): Promise<boolean> {
  const socket = join(volumeOf(cluster.lab.profile, member), 'unix.socket');
  const answer = await httpOverSocket(socket, '/internal/ready', { timeoutMs: 2_000 }).catch(() => undefined);
  return answer?.status === 200;
}

async function startRollout(): Promise<void> {
  bump += 1;
  await cluster.applyStatefulSet({ environment: { [BUMP]: String(bump) } });
  const stuck = async () => (await updated()).length === 1;
  await waitFor('the first member of the new version', stuck, { timeoutMs: 60_000, intervalMs: 200 });
}

/** Only the last member is of the new version, and for all that time it waits for the others. */
async function expectBlocked(): Promise<void> {
  const blocked = JSON.stringify([{ name: 'lxd-2', ready: false }]);
  const until = Date.now() + BLOCKED_MS;
  const look = async () => {
    const seen = JSON.stringify(await updated());
    return (seen !== blocked || Date.now() >= until) && seen;
  };
  expect(await waitFor('the time of watching', look, { timeoutMs: BLOCKED_MS + 20_000, intervalMs: 500 })).toBe(blocked);
}

async function expectHealed(): Promise<number> {
  const begin = Date.now();
  const all = async () => {
    const now = await updated();
    return now.length === 3 && now.every(({ ready }) => ready);
  };
  await waitFor('all members of the new version', all, { timeoutMs: HEALED_MS, intervalMs: 200 });
  await cluster.agreed(HEALED_MS);
  return Date.now() - begin;
}

describe.each(['OrderedReady', 'Parallel'] as const)('a rollout of a new version that waits for each pod, under %s', (policy) => {
  beforeAll(async () => {
    await cluster.applyStatefulSet({ podManagementPolicy: policy, probes: 'exec' });
    await cluster.agreed(HEALED_MS);
  }, 180_000);

  test('stops for good at the first member, which waits for the others', async () => {
    observer = await cluster.observe();
    await startRollout();
    await expectBlocked();
    const seen = await observer.stop();
    expect(seen.samples).toBeGreaterThan(0);
    expect(seen.maxDownAtOnce).toBe(1);
    expect(seen.quorumLost).toBe(0);
    expect(observer.samples().at(-1)?.members['lxd-2']).toBe('waiting');
  }, 120_000);

  if (policy === 'OrderedReady') {
    test('is not healed by a template without probes: the pod that is not ready is never replaced', async () => {
      await cluster.applyStatefulSet({ probes: 'none' });
      await expectBlocked();
    }, 60_000);

    test('is healed by a person who deletes the blocked pod then', async () => {
      await cluster.deletePod('lxd-2');
      report('healed after', `${await expectHealed()} ms`);
    }, 120_000);
  } else {
    test('is healed by a template without probes', async () => {
      await cluster.applyStatefulSet({ probes: 'none' });
      report('healed after', `${await expectHealed()} ms`);
    }, 120_000);
  }
});
