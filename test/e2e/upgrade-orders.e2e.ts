import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { FAILS_AS_MEMBER } from '#lab/cluster/manifests.js';
import { waitFor } from '#lab/wait.js';
import { addAdmin } from '../support/accounts.js';
import { Upgrades } from '../support/cluster-upgrades.js';

/** Asks for upgrades. */
const ADMIN = 'admin';
/** Another admin: carol. */
const OTHER = { id: 990, isAdmin: true } as const;
const STATEFULSET = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;

let cluster: ClusterLab;
let upgrades: Upgrades;
beforeAll(async () => {
  cluster = await startClusterLab({ ...STATEFULSET, cluster: 'anew', settings: { approvalSeconds: 5 } });
  addAdmin(cluster.lab, { id: OTHER.id, username: 'carol' });
  upgrades = new Upgrades(cluster);
}, 900_000);
afterAll(() => cluster?.configure({}), 120_000);

type Order = Parameters<Upgrades['order']>[1];
type Caller = Parameters<Upgrades['order']>[3];

/** Status and words of a refusal; it is not among what was ordered. */
async function refused(id: string, [order, body, who]: readonly [Order, object, Caller]): Promise<{ status: number; detail: string }> {
  const known = async () => {
    const view = await waitFor('a worker that answers', () => upgrades.view(id), { timeoutMs: 30_000, intervalMs: 200 });
    return { audit: view.audit, approvedHash: view.approvedHash };
  };
  const before = await known();
  const { status, json } = await upgrades.order(id, order, body, who);
  if (status < 400) throw new Error(`${order} was taken: ${status}`);
  expect(await known()).toEqual(before);
  return { status, detail: json<{ detail: string }>().detail };
}

async function podsNow(): Promise<string[]> {
  return (await cluster.pods()).map(({ metadata }) => metadata.uid).sort();
}

test('an approval that nobody gives in time ends the upgrade, and nothing was changed', async () => {
  const before = await podsNow();
  const id = await upgrades.begin({ image: IMAGES.lxdNext });
  const { plans } = await upgrades.reaches(id, 'awaiting-approval');
  await upgrades.reaches(id, 'ended');
  const late = await upgrades.order(id, 'approve', { hash: plans[0]?.hash }, OTHER);
  expect([late.status, late.json<{ detail: string }>().detail]).toEqual([409, expect.stringContaining('has ended already')]);
  expect((await upgrades.report(id)).summary).toContain('Nobody has approved the plan in time; nothing was changed.');
  expect(await podsNow()).toEqual(before);
}, 300_000);

describe('with two persons', () => {
  let id: string;
  let hash: string | undefined;
  beforeAll(async () => {
    await cluster.configure({ twoPersons: true });
    id = await upgrades.begin({ image: IMAGES.lxdNext, environment: { [FAILS_AS_MEMBER]: '1' } });
    hash = (await upgrades.reaches(id, 'awaiting-approval')).plans[0]?.hash;
  }, 300_000);

  test('a plan is not approved by who asked for it, by no admin, or by another hash', async () => {
    expect(await refused(id, ['approve', { hash }, ADMIN])).toEqual({
      status: 409,
      detail: expect.stringContaining('somebody else has to'),
    });
    expect(await refused(id, ['approve', { hash }, 'alice'])).toMatchObject({ status: 403 });
    const other = await refused(id, ['approve', { hash: 'f'.repeat(64) }, OTHER]);
    expect(other).toEqual({ status: 409, detail: expect.stringMatching(new RegExp(`No plan has the hash.*rolling ${hash}`)) });
    expect((await upgrades.view(id))?.phase).toBe('awaiting-approval');
  }, 60_000);

  test('a cluster that has changed since is planned anew: the old hash is refused with the difference, the new one counts', async () => {
    await cluster.applyStatefulSet({ updateStrategy: 'RollingUpdate' });
    const stale = await upgrades.order(id, 'approve', { hash }, OTHER);
    const { detail } = stale.json<{ detail: string }>();
    expect([stale.status, detail]).toEqual([409, expect.stringMatching(/The cluster has changed since: .*[Uu]pdate/)]);
    const { plans, approvedHash } = await upgrades.reaches(id, 'awaiting-approval');
    expect([plans[0]?.hash === hash, approvedHash]).toEqual([false, undefined]);
    expect(detail).toContain(String(plans[0]?.hash));
    expect((await upgrades.order(id, 'approve', { hash: plans[0]?.hash }, OTHER)).status).toBe(200);
    expect(await refused(id, ['approve', { hash: plans[0]?.hash }, OTHER])).toEqual({
      status: 409,
      detail: expect.stringContaining('approved already'),
    });
  }, 120_000);

  test('while it runs another upgrade, and what makes no sense, is refused', async () => {
    await expect(upgrades.begin({ image: IMAGES.lxdNext })).rejects.toThrow(/409.*One at a time/);
    expect(await refused(id, ['resume', {}, OTHER])).toEqual({ status: 409, detail: expect.stringContaining('is not paused') });
    expect((await upgrades.order(id, 'pause', { reason: 'lunch' })).status).toBe(200);
    await upgrades.reaches(id, 'paused');
    expect(await refused(id, ['retry', {}, OTHER])).toEqual({ status: 409, detail: expect.stringContaining('nothing to retry') });
    expect((await upgrades.order(id, 'resume', {}, OTHER)).status).toBe(200);
  }, 120_000);

  test('a step that failed is tried again, and its gate is skipped by name and with a reason only', async () => {
    const { wait, steps: before } = await upgrades.reaches(id, 'failed-step');
    expect(wait?.for).toMatch(/CrashLoopBackOff/);
    const failed = before.find(({ state }) => state === 'failed')?.step;
    const gate = failed?.action.do === 'wait-for-gate' ? failed.action.gate : undefined;
    expect(await refused(id, ['skip', { gate }, OTHER])).toMatchObject({ status: 400 });
    expect(await refused(id, ['skip', { gate, reason: ' ' }, OTHER])).toMatchObject({ status: 400 });
    const other = await refused(id, ['skip', { gate: 'template-shown', reason: 'why' }, OTHER]);
    expect(other).toEqual({ status: 409, detail: expect.stringContaining(`the present one is ${gate}`) });
    expect((await upgrades.order(id, 'retry', {}, OTHER)).status).toBe(200);
    await upgrades.reaches(id, 'failed-step');
    expect((await upgrades.order(id, 'skip', { gate, reason: 'to see what comes' }, OTHER)).status).toBe(200);
    const { steps } = await upgrades.reaches(id, 'running', 'failed-step');
    expect(steps.filter(({ state }) => state === 'skipped').map(({ step }) => step.id)).toEqual([failed?.id]);
  }, 300_000);

  test('an abort is given once; who did what, and why, is in the report', async () => {
    expect((await upgrades.order(id, 'abort', { reason: 'bad image' }, OTHER)).status).toBe(200);
    expect(await refused(id, ['abort', {}, ADMIN])).toMatchObject({ status: 409 });
    await upgrades.reaches(id, 'went-back');
    const { audit } = await upgrades.report(id);
    const lines = audit.map(({ did, by, about }) => `${by.username} ${did} ${about}`);
    expect(lines).toEqual([
      expect.stringContaining('admin requested'),
      expect.stringContaining(`carol approve rolling ${hash}`),
      expect.stringContaining('carol approve rolling'),
      'admin pause lunch',
      'carol resume ',
      expect.stringMatching(/^carol retry \d+-/),
      expect.stringMatching(/^carol skip .* of step .*: to see what comes$/),
      'carol abort bad image',
    ]);
    await cluster.agreed(60_000);
  }, 300_000);
});
