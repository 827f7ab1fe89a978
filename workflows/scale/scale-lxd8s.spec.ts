import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import { SCALE_QUERY, type ScaleInput, type ScaleReport, type ScaleView } from '#libs/contracts/scalings.js';
import { clusterLockOf, dryRunOf } from '#libs/contracts/upgrades.js';
import { ALICE, BOB, failureOf, refusalOf, runOrders } from '#libs/testing/run-orders.js';
import { ScaleWorld } from '#libs/testing/scale-world.js';
import { failing, type RigRun, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(90_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

type Run = RigRun<ScaleReport>;

async function scale(
  world: ScaleWorld,
  input: Pick<ScaleInput, 'replicas'> & Partial<ScaleInput>,
  act: (run: Run) => Promise<void>,
  activities: object = {},
): Promise<void> {
  const whole: ScaleInput = { name: clusterLockOf('lab'), cluster: 'lab', operationId: 'op-1', requestedBy: ALICE, ...input };
  await rig.run<ScaleReport>('scaleLxd8s', whole, { ...world.activities(), ...activities }, act);
}

const { order, reaches, waits, approve } = runOrders<ScaleView>(SCALE_QUERY);

describe('scaleLxd8s', () => {
  test('grows by one approval, one member after the other', async () => {
    const world = new ScaleWorld(1);
    await scale(world, { replicas: 3 }, async (run) => {
      expect(await approve(run)).toEqual({ answer: 'Approved: the grow plan begins.' });
      const report = await run.result();
      expect(report).toMatchObject({
        phase: 'finished',
        request: { replicas: 3 },
        summary: expect.stringContaining('lab from 1 to 3 members'),
        audit: [
          { did: 'requested', by: ALICE },
          { did: 'approve', by: BOB },
        ],
      });
      expect(report.steps.every(({ state }) => state === 'done')).toBe(true);
    });
    expect(world.did).toEqual(['ask for 2', 'ask for 3']);
  });

  test('shrinks: emptied, without its pod, taken out, and its volume last', async () => {
    const world = new ScaleWorld(4);
    await scale(world, { replicas: 3, volumes: 'delete' }, async (run) => {
      await approve(run);
      await run.result();
      const changes = ['takeClusterLock', 'saveCopies', 'evacuateMember', 'setReplicas', 'removeMember', 'deleteClaims', 'finishUpgrade'];
      expect(run.calls.filter((name) => changes.includes(name))).toEqual(changes);
    });
    expect(world.did).toEqual(['evacuate lxd-3', 'ask for 3', 'remove lxd-3', 'delete claims of lxd-3']);
  });

  test('a dry run ends with the plan, and takes no lock', async () => {
    await scale(new ScaleWorld(3), { replicas: 5, dryRun: true, name: dryRunOf('lab') }, async (run) => {
      expect(await run.result()).toMatchObject({ phase: 'planned', plans: [{ kind: 'grow', coming: ['lxd-3', 'lxd-4'] }] });
      expect(run.calls).toEqual(['prepareScale', 'planScale']);
    });
  });

  test('is refused in words, with the lock free again', async () => {
    const world = new ScaleWorld(3);
    world.claims.add('lxd-3');
    await scale(world, { replicas: 4 }, async (run) => {
      expect(await failureOf(run)).toContain('kubectl delete persistentvolumeclaim state-lxd-3');
      expect(run.calls.at(-1)).toBe('finishUpgrade');
    });
  });

  test('an approval is of a hash, and of the cluster as it is', async () => {
    const world = new ScaleWorld(3, { twoPersons: true });
    await scale(world, { replicas: 4 }, async (run) => {
      const { plans } = await reaches(run, 'awaiting-approval');
      expect(await refusalOf(order(run, 'approve', { by: BOB, hash: 'other' }))).toContain('No plan has the hash "other"');
      expect(await refusalOf(order(run, 'approve', { by: ALICE, hash: plans[0]?.hash }))).toContain('asked for this scaling');
      world.members.add('lxd-3');
      world.replicas = 4;
      expect(await refusalOf(order(run, 'approve', { by: BOB, hash: plans[0]?.hash }))).toContain('nothing to approve any more');
      expect(await run.result()).toMatchObject({ phase: 'nothing-to-do' });
    });
    expect(world.did).toEqual([]);
  });

  test('nobody approves it: it ends unchanged', async () => {
    await scale(new ScaleWorld(3, { approvalSeconds: 1 }), { replicas: 4 }, async (run) => {
      expect(await failureOf(run)).toContain('Nobody has approved the plan in time; nothing was changed.');
    });
  });

  test('an abort while a member is emptied restores it; no member goes', async () => {
    const world = new ScaleWorld(4);
    world.immovable.add('lxd-3');
    await scale(world, { replicas: 3 }, async (run) => {
      await approve(run);
      await waits(run, /member-empty: On lxd-3: 1 instance: a-lxd-3/);
      await order(run, 'abort', { by: BOB, reason: 'not now' });
      expect(await run.result()).toMatchObject({ phase: 'went-back', summary: expect.stringContaining('went back') });
    });
    expect(world.did).toEqual(['evacuate lxd-3', 'restore lxd-3']);
    expect([world.members.size, world.replicas]).toEqual([4, 4]);
  });

  test('an abort while one does not come to join takes it and its volume away; one that has come stays', async () => {
    const world = new ScaleWorld(1);
    world.strangers.add('lxd-2');
    await scale(world, { replicas: 3 }, async (run) => {
      await approve(run);
      await waits(run, /member-joined: lxd-2/);
      await order(run, 'abort', { by: BOB });
      await run.result();
    });
    expect(world.did).toEqual(['ask for 2', 'ask for 3', 'ask for 2', 'delete claims of lxd-2']);
    expect([...world.members]).toEqual(['lxd-0', 'lxd-1']);
  });

  test('stands still before a step that allows it, and never while a member has no pod', async () => {
    const world = new ScaleWorld(4);
    world.immovable.add('lxd-3');
    await scale(world, { replicas: 3 }, async (run) => {
      await approve(run);
      await waits(run, /member-empty/);
      expect(await order(run, 'pause', { by: BOB })).toEqual({ answer: expect.stringContaining('set-replicas') });
      world.instances.delete('lxd-3');
      await reaches(run, 'paused');
      expect(world.did).toEqual(['evacuate lxd-3']);
      await order(run, 'resume', { by: ALICE });
      const { steps } = await run.result();
      expect(steps.filter(({ step }) => step.pause === 'not-here').map(({ step }) => step.id)).toEqual([
        '09-pod-gone',
        '10-member-empty',
        '11-remove-member',
        '12-member-removed',
      ]);
    });
  });

  test('a step that fails stands for somebody, who retries it', async () => {
    const world = new ScaleWorld(4);
    let failures = 1;
    const { removeMember } = world.activities();
    const removes: typeof removeMember = async (...args) =>
      failures-- > 0 ? failing('OPERATION_FAILED', 'LXD is busy')() : removeMember(...args);
    await scale(
      world,
      { replicas: 3 },
      async (run) => {
        await approve(run);
        expect((await reaches(run, 'failed-step')).wait?.for).toContain('LXD is busy');
        await order(run, 'retry', { by: BOB });
        expect(await run.result()).toMatchObject({ phase: 'finished' });
      },
      { removeMember: removes },
    );
    expect(world.did).toEqual(['evacuate lxd-3', 'ask for 3', 'remove lxd-3']);
  });

  test('a gate is skipped with a reason, which the report tells', async () => {
    const world = new ScaleWorld(4);
    world.immovable.add('lxd-3');
    await scale(world, { replicas: 3 }, async (run) => {
      await approve(run);
      await waits(run, /member-empty/);
      await order(run, 'skip', { by: BOB, gate: 'member-empty', reason: 'nothing worth keeping' });
      // What is on it is refused to be lost all the same, by who would end its pod.
      expect((await reaches(run, 'failed-step')).wait?.for).toContain('lxd-3 goes with instances');
      world.instances.delete('lxd-3');
      await order(run, 'retry', { by: BOB });
      const { summary, audit } = await run.result();
      expect(summary).toContain('Skipped by an operator: 07-member-empty');
      expect(audit).toContainEqual(expect.objectContaining({ did: 'skip', about: expect.stringContaining('nothing worth keeping') }));
    });
  });
});
