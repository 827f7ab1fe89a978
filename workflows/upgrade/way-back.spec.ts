import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { resolveTool } from '#lab/tools/resolve.js';
import type { UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import { UPGRADE_QUERY, type UpgradeView } from '#libs/contracts/upgrades.js';
import { BUMPED, desiredOf, OLD } from '#libs/domain/upgrade/narrations/scenarios.js';
import { eventually } from '#libs/testing/eventually.js';
import { latch } from '#libs/testing/latch.js';
import { BOB, runOrders } from '#libs/testing/run-orders.js';
import { playUpgrade, type UpgradeRun, type UpgradeScene } from '#libs/testing/upgrade-scene.js';
import type { UpgradeWorld } from '#libs/testing/upgrade-world.js';
import { failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(90_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const upgrade = (scene: UpgradeScene, act: (run: UpgradeRun, world: UpgradeWorld) => Promise<void>) => playUpgrade(rig, scene, act);
const { viewOf, order, reaches, approve } = runOrders<UpgradeView>(UPGRADE_QUERY);
const calledFor = (run: UpgradeRun, name: string) => eventually(() => run.calls.includes(name) || undefined, { timeoutMs: 20_000 });
const isOld = (world: UpgradeWorld) => world.simulation.observe().pods.every(({ build }) => build.image === OLD.image);

test('an abort of a paused upgrade goes back at once, to its end', async () => {
  await upgrade({}, async (run, world) => {
    await approve(run);
    await calledFor(run, 'deletePods');
    await order(run, 'pause', { by: BOB });
    await reaches(run, 'paused');
    await order(run, 'abort', { by: BOB });
    expect(await run.result()).toMatchObject({ phase: 'went-back' });
    expect(isOld(world)).toBe(true);
  });
});

test.each([1, 2])('an abort in a cluster of %d goes back, although there never is a margin', async (members) => {
  await upgrade({ members }, async (run, world) => {
    await approve(run);
    // The first one has come back with the new image by then.
    await reaches(run, 'running');
    await eventually(
      () => world.simulation.observe().pods.some(({ build, ready }) => build.image !== OLD.image && ready === 'yes') || undefined,
      {
        timeoutMs: 30_000,
        intervalMs: 2,
      },
    );
    await order(run, 'abort', { by: BOB });
    expect(await run.result()).toMatchObject({ phase: 'went-back' });
    expect(isOld(world)).toBe(true);
  });
});

test('a cancellation behind the point of no return is noted, and the upgrade ends', async () => {
  const [deleting, goOn] = [latch(), latch()];
  const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => ({
    deletePods: async (acting, plan, deletion) => {
      await world.activities().deletePods(acting, plan, deletion);
      deleting.open();
      await goOn.opened;
    },
  });
  await upgrade({ desired: desiredOf(BUMPED), activities }, async (run, world) => {
    await approve(run, BOB, 'lockstep-parallel');
    await deleting.opened;
    await run.handle.cancel();
    goOn.open();
    const report = await run.result();
    expect(report).toMatchObject({ phase: 'finished' });
    expect(report.audit.at(-1)).toMatchObject({ did: 'abort', about: 'not followed: there is no way back any more' });
    expect(run.calls).not.toContain('planWayBack');
    expect(world.simulation.observe().members.every(({ versions }) => versions.apiExtensions === 319)).toBe(true);
  });
});

test('a cancellation lets the step end that it cuts off, before it plans the way back', async () => {
  const seen: string[] = [];
  const deleting = latch();
  const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => ({
    deletePods: async (acting, plan, deletion) => {
      deleting.open();
      await pause(500);
      await world.activities().deletePods(acting, plan, deletion);
      seen.push('deleted');
    },
    planWayBack: async (...about) => {
      seen.push('planned');
      return world.activities().planWayBack(...about);
    },
  });
  await upgrade({ activities }, async (run, world) => {
    await approve(run);
    await deleting.opened;
    await run.handle.cancel();
    expect(await run.result()).toMatchObject({ phase: 'went-back' });
    expect(seen.slice(0, 2)).toEqual(['deleted', 'planned']);
    expect(isOld(world)).toBe(true);
  });
});

test('a gate that passes while it is being skipped is passed, and no other one is skipped for it', async () => {
  const [looked, goOn] = [latch(), latch()];
  let looks = 0;
  const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => ({
    watchGate: async (acting, cluster, watch) => {
      if (watch.call.gate !== 'volumes-settled' || looks++ > 0) return world.activities().watchGate(acting, cluster, watch);
      looked.open();
      await goOn.opened;
      return {
        outcome: { is: 'passed', because: 'settled' },
        table: [],
        readings: 1,
        at: new Date().toISOString(),
        passingSince: undefined,
      };
    },
  });
  await upgrade({ activities }, async (run) => {
    await approve(run);
    await looked.opened;
    await order(run, 'skip', { by: BOB, gate: 'volumes-settled', reason: 'it is' });
    goOn.open();
    const { steps, phase } = await run.result();
    expect(phase).toBe('finished');
    expect(steps.filter(({ state }) => state !== 'done')).toEqual([]);
  });
});

test('a deletion that failed before it deleted anything has not passed the point of no return', async () => {
  const refused = ApplicationFailure.create({
    type: 'CONFLICT',
    message: 'taken back',
    nonRetryable: true,
    details: [{ deleted: 'none' }],
  });
  const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => ({
    deletePods: async (acting, plan, deletion) => {
      if (deletion.build.image === BUMPED.image && deletion.build.environment !== OLD.environment) throw refused;
      return world.activities().deletePods(acting, plan, deletion);
    },
  });
  await upgrade({ desired: desiredOf(BUMPED), activities }, async (run, world) => {
    await approve(run, BOB, 'lockstep-parallel');
    const { wait } = await reaches(run, 'failed-step');
    expect(wait?.updates.map(({ name }) => name)).toEqual(['retry', 'abort']);
    await order(run, 'abort', { by: BOB });
    expect(await run.result()).toMatchObject({ phase: 'went-back' });
    expect(isOld(world)).toBe(true);
  });
});

test('a way back that cannot be planned waits for somebody to say retry', async () => {
  let failures = 1;
  const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => ({
    planWayBack: async (...about) => (failures-- > 0 ? failing('CONFLICT', 'not now')() : world.activities().planWayBack(...about)),
  });
  await upgrade({ activities }, async (run, world) => {
    await approve(run);
    await calledFor(run, 'deletePods');
    await order(run, 'abort', { by: BOB });
    const { wait } = await reaches(run, 'failed-step');
    expect(wait).toMatchObject({ for: expect.stringMatching(/retry.*not now/), updates: [{ name: 'retry' }] });
    expect(await order(run, 'retry', { by: BOB })).toEqual({ answer: 'It is tried again.' });
    expect(await run.result()).toMatchObject({ phase: 'went-back' });
    expect((await viewOf(run)).steps.some(({ way, state }) => way === 'back' && state === 'done')).toBe(true);
    expect(isOld(world)).toBe(true);
  });
});

test('a way back whose lock is lost ends, and says so; nobody could give it back', async () => {
  const lost = ApplicationFailure.create({
    type: 'CONFLICT',
    message: 'the lock has gone to op-2',
    nonRetryable: true,
    details: [{ reason: 'lock-lost' }],
  });
  const activities = (): Partial<UpgradeActivities> => ({
    planWayBack: async () => {
      throw lost;
    },
  });
  await upgrade({ activities }, async (run) => {
    await approve(run);
    await calledFor(run, 'deletePods');
    await order(run, 'abort', { by: BOB });
    await expect(run.result()).rejects.toMatchObject({ cause: { message: 'the lock has gone to op-2' } });
    expect((await viewOf(run)).phase).toBe('ended');
  });
});
