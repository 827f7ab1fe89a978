import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import type { UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import {
  clusterLockOf,
  UPGRADE_QUERY,
  type UpgradeAnswer,
  type UpgradeInput,
  type UpgradePhase,
  type UpgradeReport,
  type UpgradeUpdate,
  type UpgradeView,
} from '#libs/contracts/upgrades.js';
import type { DesiredUpgrade } from '#libs/domain/upgrade/desired.js';
import { BUMPED, desiredOf, OLD, REBUILT, simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import { ALICE, runOrders } from '#libs/testing/run-orders.js';
import { UpgradeWorld } from '#libs/testing/upgrade-world.js';
import { failing, type RigRun, WorkflowRig } from '#libs/testing/workflow-rig.js';
import { WorldRepository } from '#libs/testing/world-repository.js';

jest.setTimeout(90_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const { until, order, approve } = runOrders<UpgradeView>(UPGRADE_QUERY);

interface Scene {
  readonly run: RigRun<UpgradeReport>;
  readonly world: UpgradeWorld;
  readonly repository: WorldRepository;
  reaches(what: string, is: (view: UpgradeView) => boolean): Promise<UpgradeView>;
  order(name: UpgradeUpdate, argument?: object): Promise<UpgradeAnswer>;
}

const isIn = (phase: UpgradePhase) => (view: UpgradeView) => view.phase === phase;

/** An upgrade that is approved, by pull requests that the test merges. */
async function upgrade(
  desired: DesiredUpgrade,
  act: (scene: Scene) => Promise<void>,
  activities: Partial<UpgradeActivities> = {},
): Promise<void> {
  const world = new UpgradeWorld(simulationOf(3), desired);
  const repository = new WorldRepository(world);
  const { image, environment } = desired.build;
  const name = clusterLockOf('lab');
  const input: UpgradeInput = { name, cluster: 'lab', operationId: 'op-1', requestedBy: ALICE, image, environment };
  await rig.run<UpgradeReport>('upgradeLxd8s', input, { ...world.activities(), ...repository.activities(), ...activities }, async (run) => {
    const scene: Scene = {
      ...{ run, world, repository },
      reaches: (what, is) => until(run, what, is),
      order: (name, argument = {}) => order(run, name, { by: ALICE, ...argument }),
    };
    await approve(run, ALICE);
    await act(scene);
  });
}

const proposed = ({ reaches }: Scene, number: number) =>
  reaches(
    `pull request ${number}`,
    ({ wait }) => wait?.for === `change-merged: https://git.example/pull/${number} waits for a person to merge it.`,
  );
const byLease = desiredOf(REBUILT, { way: 'gitops' });

describe('an upgrade by pull request', () => {
  test('touches no pod before the merge, and all that follows is told of what was merged', async () => {
    await upgrade(byLease, async (scene) => {
      await proposed(scene, 1);
      expect(scene.repository.told.filter(({ number }) => number !== undefined)).toEqual([]);
      expect(scene.world.seen.mostDown).toBe(0);
      scene.repository.merge(1);
      const report = await scene.run.result();
      expect(report).toMatchObject({ phase: 'finished' });
      expect(report.steps.find(({ step }) => step.action.do === 'patch-template')?.result).toBe('https://git.example/pull/1');
      const { told } = scene.repository;
      const after = told.slice(told.findIndex(({ by }) => by === 'template-shown'));
      expect(new Set(after.map(({ number }) => number))).toEqual(new Set([1]));
      expect(after.filter(({ by }) => by === 'delete-pods')).toHaveLength(3);
    });
  });

  test('whose probes go by the template has a second one, which counts from then on', async () => {
    await upgrade(desiredOf(BUMPED, { way: 'gitops', probes: 'template' }), async (scene) => {
      await proposed(scene, 1);
      scene.repository.merge(1);
      await proposed(scene, 2);
      const { pulls, told } = scene.repository;
      expect(pulls.map(({ change }) => change.probes.length)).toEqual([0, 3]);
      const before = told.length;
      scene.repository.merge(2);
      expect(await scene.run.result()).toMatchObject({ phase: 'finished' });
      expect(new Set(told.slice(before).map(({ number }) => number))).toEqual(new Set([2]));
      expect(scene.world.simulation.observe().pods.map(({ probes }) => probes.length)).toEqual([3, 3, 3]);
    });
  });

  test('that is closed without a merge stands still, cannot be skipped, and goes back without having touched a pod', async () => {
    await upgrade(byLease, async (scene) => {
      await proposed(scene, 1);
      scene.repository.close(1);
      const { wait } = await scene.reaches('the failure', isIn('failed-step'));
      expect(wait).toMatchObject({ for: expect.stringMatching(/pull\/1 was closed/), updates: [{ name: 'retry' }, { name: 'abort' }] });
      await scene.order('abort', { reason: 'not wanted' });
      await proposed(scene, 2);
      expect(scene.repository.withdrawn).toEqual([1]);
      expect(scene.repository.pulls[1]?.change.build).toEqual(OLD);
      scene.repository.merge(2);
      expect(await scene.run.result()).toMatchObject({ phase: 'went-back' });
      expect(scene.world.seen.mostDown).toBe(0);
    });
  });

  test('that is aborted while it waits for its merge closes it, and waits for the one that takes it back', async () => {
    await upgrade(byLease, async (scene) => {
      await proposed(scene, 1);
      await scene.order('abort', { reason: 'changed my mind' });
      await proposed(scene, 2);
      expect(scene.repository.withdrawn).toEqual([1]);
      scene.repository.merge(2);
      expect(await scene.run.result()).toMatchObject({ phase: 'went-back' });
    });
  });

  test('that cannot be closed on the way back is said in the report, and the way back goes on', async () => {
    const act = async (scene: Scene) => {
      await proposed(scene, 1);
      await scene.order('abort', { reason: 'changed my mind' });
      await proposed(scene, 2);
      scene.repository.merge(2);
      const { phase, notes } = await scene.run.result();
      expect(phase).toBe('went-back');
      expect(notes).toEqual([expect.stringMatching(/pull\/1 could not be closed \(GitHub is away\): close it/)]);
    };
    await upgrade(byLease, act, { withdrawProposal: failing('UNAVAILABLE', 'GitHub is away') });
  });

  test('whose merge is taken back stops before the next pod, with who did it; the way back is not held to that merge', async () => {
    await upgrade(byLease, async (scene) => {
      const { repository, world } = scene;
      await proposed(scene, 1);
      repository.revertedBy = 'carol';
      repository.merge(1);
      const { wait } = await scene.reaches('the failure', isIn('failed-step'));
      expect(wait?.for).toMatch(/carol took it back/);
      expect(world.seen.mostDown).toBe(0);
      await scene.order('abort', { reason: 'carol said so' });
      await proposed(scene, 2);
      const before = repository.told.length;
      repository.revertedBy = undefined;
      repository.merge(2);
      expect(await scene.run.result()).toMatchObject({ phase: 'went-back' });
      expect(new Set(repository.told.slice(before).map(({ number }) => number))).toEqual(new Set([2]));
    });
  });
});
