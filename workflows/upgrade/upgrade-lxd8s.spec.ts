import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import { UPGRADE_QUERY, type UpgradeView } from '#libs/contracts/upgrades.js';
import { BUMPED, desiredOf, NEWER, OLD, REBUILT } from '#libs/domain/upgrade/narrations/scenarios.js';
import { latch } from '#libs/testing/latch.js';
import { ALICE, BOB, failureOf, refusalOf, runOrders } from '#libs/testing/run-orders.js';
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

/** Which gates were looked at for themselves, in turn; `before` holds up an answer. */
function looking(before: (gate: string) => Promise<void> = async () => undefined) {
  const gates: string[] = [];
  const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => {
    const { watchGate } = world.activities();
    return {
      watchGate: async (acting, cluster, watch) => {
        gates.push(watch.call.gate);
        await before(watch.call.gate);
        return watchGate(acting, cluster, watch);
      },
    };
  };
  return { gates, activities };
}

const { viewOf, order, reaches, approve } = runOrders<UpgradeView>(UPGRADE_QUERY);

describe('upgradeLxd8s', () => {
  test.each([3, 5])('rolls %d members one after the other, with one approval', async (members) => {
    await upgrade({ members }, async (run, world) => {
      expect(await approve(run)).toEqual({ answer: 'Approved: the rolling plan begins.' });
      const report = await run.result();
      expect(report).toMatchObject({
        phase: 'finished',
        cluster: 'lab',
        audit: [
          { did: 'requested', by: ALICE },
          { did: 'approve', by: BOB },
        ],
      });
      expect(report.steps.every(({ state }) => state === 'done')).toBe(true);
      expect(report.members.map(({ member, away }) => [member, away.length])).toEqual(
        Array.from({ length: members }, (_, ordinal) => [`lxd-${ordinal}`, 1]),
      );
      for (const { away } of report.members) expect(away[0]?.seconds).toBeGreaterThan(0);
      expect(world.seen).toMatchObject({ mostDown: 1, quorumLostSeconds: 0, leaseAtDeletions: Array(members).fill(true) });
      expect(world.leaseHeld).toBe(false);
      expect(world.simulation.observe().pods.every(({ build }) => build.image === REBUILT.image)).toBe(true);
    });
  });

  test.each(['lockstep-sequential', 'lockstep-parallel'] as const)(
    'offers both ways in lockstep, and goes the one that is approved: %s',
    async (kind) => {
      await upgrade({ desired: desiredOf(BUMPED) }, async (run, world) => {
        const { plans } = await reaches(run, 'awaiting-approval');
        expect(plans.map((plan) => plan.kind)).toEqual(['lockstep-sequential', 'lockstep-parallel']);
        await approve(run, BOB, kind);
        const report = await run.result();
        expect(report).toMatchObject({ phase: 'finished', api: { seconds: expect.any(Number) } });
        expect(world.seen.quorumLostSeconds > 0).toBe(kind === 'lockstep-parallel');
        expect(
          world.simulation.observe().members.every(({ versions, answers }) => versions.apiExtensions === 319 && answers === 'serving'),
        ).toBe(true);
      });
    },
  );

  test('five members whose gate changes its mind for a day of polling make a history below 4096 events', async () => {
    const day = { seconds: 0, waits: 0 };
    const activities = (world: UpgradeWorld): Partial<UpgradeActivities> => ({
      watchGate: async (acting, cluster, watch) => {
        const over = watch.call.gate !== 'volumes-settled' || day.seconds >= 86_400;
        if (over) return world.activities().watchGate(acting, cluster, { ...watch, settleSeconds: 0 });
        day.waits += 1;
        // A rebuild that begins again every five seconds.
        day.seconds += watch.returnOn === 'change' ? 5 : watch.returnAfterSeconds;
        const outcome = { is: 'waiting', reason: `rebuild number ${day.waits}` } as const;
        return { outcome, table: [], readings: 1, at: new Date().toISOString(), passingSince: undefined };
      },
    });
    await upgrade({ members: 5, activities }, async (run) => {
      await approve(run);
      expect(await run.result()).toMatchObject({ phase: 'finished' });
      expect(day.waits).toBeGreaterThan(100);
      const { events } = await run.handle.fetchHistory();
      expect(events?.length).toBeLessThan(4096);
    });
  });

  test('a dry run gives the plan, locks nothing and changes nothing', async () => {
    await upgrade({ input: { dryRun: true } }, async (run) => {
      expect(await run.result()).toMatchObject({
        phase: 'planned',
        plans: [{ kind: 'rolling' }],
        steps: [],
        summary: 'Only planned; nothing was changed.',
      });
      expect(run.calls).toEqual(['prepareUpgrade', 'probeTargetVersion', 'planUpgrade']);
    });
  });

  test('has nothing to do where all is as it shall be', async () => {
    await upgrade({ desired: desiredOf(OLD) }, async (run) => {
      expect(await run.result()).toMatchObject({ phase: 'nothing-to-do' });
      expect(run.calls).not.toContain('patchTemplate');
    });
  });

  test('fails with the reason and the remedy where there is no way', async () => {
    await upgrade({ desired: desiredOf(OLD), world: { build: NEWER } }, async (run) => {
      expect(await failureOf(run)).toMatch(/schema/);
      expect((await viewOf(run)).refusals.length).toBeGreaterThan(0);
      expect(run.calls.at(-1)).toBe('finishUpgrade');
    });
  });
});

describe('an approval', () => {
  test('is of exactly one hash, once, and accepts the point of no return by name', async () => {
    await upgrade({ desired: desiredOf(BUMPED) }, async (run) => {
      const { plans } = await reaches(run, 'awaiting-approval');
      const hash = plans[0]?.hash;
      expect(await refusalOf(order(run, 'approve', { by: BOB, hash: 'f'.repeat(64) }))).toMatch(
        /No plan has the hash "ffff.*lockstep-sequential/s,
      );
      expect(await refusalOf(order(run, 'approve', { by: BOB, hash }))).toMatch(/acceptPointOfNoReturn must be true/);
      expect(await refusalOf(order(run, 'approve', { hash, acceptPointOfNoReturn: true }))).toMatch(/by must say who/);
      expect(run.calls).not.toContain('confirmPlan');
      await approve(run);
      expect(await refusalOf(order(run, 'approve', { by: ALICE, hash, acceptPointOfNoReturn: true }))).toMatch(/approved already/);
      await run.result();
    });
  });

  test('is somebody else’s under the two-person rule', async () => {
    await upgrade({ settings: { twoPersons: true } }, async (run) => {
      const { plans, wait } = await reaches(run, 'awaiting-approval');
      expect(wait?.updates[0]).toMatchObject({ name: 'approve', who: 'an admin other than alice' });
      expect(await refusalOf(order(run, 'approve', { by: ALICE, hash: plans[0]?.hash }))).toMatch(/somebody else has to approve/);
      await approve(run, BOB);
      await run.result();
    });
  });

  test('expires, and nothing was changed', async () => {
    await upgrade({ settings: { approvalSeconds: 1 } }, async (run) => {
      expect(await failureOf(run)).toBe('Nobody has approved the plan in time; nothing was changed.');
      expect(run.calls).not.toContain('patchTemplate');
      expect(await viewOf(run)).toMatchObject({ phase: 'ended' });
    });
  });

  test('of a cluster that has changed since is refused with the difference, and the new plan waits', async () => {
    await upgrade({}, async (run, world) => {
      const { plans } = await reaches(run, 'awaiting-approval');
      world.simulation.apply({ do: 'evacuate-member', member: 'lxd-2' });
      expect(await refusalOf(order(run, 'approve', { by: BOB, hash: plans[0]?.hash }))).toMatch(
        /has changed since: .*lxd-2.* To be approved now: rolling [0-9a-f]{64}/s,
      );
      const view = await reaches(run, 'awaiting-approval');
      expect(view.differences.join(' ')).toMatch(/lxd-2/);
      expect(view.plans[0]?.hash).not.toBe(plans[0]?.hash);
      await approve(run);
      expect(await run.result()).toMatchObject({ phase: 'finished' });
    });
  });

  test('that is not given: aborted before anything was changed', async () => {
    await upgrade({}, async (run) => {
      await reaches(run, 'awaiting-approval');
      expect(await order(run, 'abort', { by: BOB, reason: 'not today' })).toEqual({ answer: 'It ends; nothing was changed.' });
      expect(await failureOf(run)).toBe('Aborted before anything was changed.');
      expect(run.calls).not.toContain('patchTemplate');
    });
  });
});

describe('the operator’s hand', () => {
  test('pauses before a member, and somebody else resumes; the Lease is held meanwhile', async () => {
    await upgrade({}, async (run, world) => {
      const { plans } = await reaches(run, 'awaiting-approval');
      expect(await refusalOf(order(run, 'pause', { by: BOB }))).toMatch(/nothing to pause: the upgrade is awaiting-approval/);
      expect(await refusalOf(order(run, 'resume', { by: BOB }))).toMatch(/not paused/);
      await order(run, 'approve', { by: BOB, hash: plans[0]?.hash });
      await waitFor('a deletion', async () => run.calls.includes('deletePods'), { timeoutMs: 20_000, intervalMs: 5 });
      expect((await order(run, 'pause', { by: BOB, reason: 'lunch' })).answer).toMatch(/stands still before step \d+-/);
      expect(await refusalOf(order(run, 'pause', { by: ALICE }))).toMatch(/ordered already by bob/);
      const { wait } = await reaches(run, 'paused');
      expect(wait).toMatchObject({ for: expect.stringMatching(/resume it; next is/), updates: [{ name: 'resume' }, { name: 'abort' }] });
      const { length } = run.calls;
      expect(world.leaseHeld).toBe(true);
      expect(await order(run, 'resume', { by: ALICE })).toEqual({ answer: 'It goes on.' });
      const report = await run.result();
      expect(run.calls.length).toBeGreaterThan(length);
      expect(report.audit.map(({ did, by }) => [did, by.username])).toEqual([
        ['requested', 'alice'],
        ['approve', 'bob'],
        ['pause', 'bob'],
        ['resume', 'alice'],
      ]);
    });
  });

  test('stops after one member with a bad image; abort brings the old state back', async () => {
    await upgrade({ world: { crashing: [REBUILT.image] } }, async (run, world) => {
      await approve(run);
      const view = await reaches(run, 'failed-step');
      expect(view.wait?.for).toMatch(/CrashLoopBackOff/);
      expect(view.wait?.updates.map(({ name }) => name)).toEqual(['retry', 'skip', 'abort']);
      expect(await refusalOf(order(run, 'resume', { by: BOB }))).toMatch(/not paused/);
      await order(run, 'abort', { by: BOB, reason: 'bad image' });
      const report = await run.result();
      expect(report).toMatchObject({ phase: 'went-back', summary: expect.stringMatching(/The old state is back.*Did not succeed/) });
      expect(report.steps.some(({ way, state }) => way === 'back' && state === 'done')).toBe(true);
      expect(world.seen).toMatchObject({ mostDown: 1, quorumLostSeconds: 0 });
      expect(world.simulation.observe().pods.every(({ build }) => build.image === OLD.image)).toBe(true);
      expect(world.leaseHeld).toBe(false);
    });
  });

  test('retries, and skips a gate by name with a reason only', async () => {
    await upgrade({ world: { displaced: ['lxd-2'], rebuilds: { 'lxd-2': { bytesPerSecond: 64 * 1024 ** 2 } } } }, async (run) => {
      await approve(run);
      const { wait } = await reaches(run, 'failed-step');
      expect(wait?.for).toMatch(/came up on node-spare/);
      expect(await refusalOf(order(run, 'skip', { by: BOB, gate: 'pods-on-nodes' }))).toMatch(/reason must say why/);
      expect(await refusalOf(order(run, 'skip', { by: BOB, gate: 'agreement', reason: 'x' }))).toMatch(
        /"agreement" is not waited for; the present one is pods-on-nodes/,
      );
      const readings = () => run.calls.filter((name) => name === 'watchGate').length;
      const before = readings();
      expect((await order(run, 'retry', { by: BOB })).answer).toMatch(/is tried again/);
      await waitFor('a second reading', async () => readings() > before, { timeoutMs: 20_000 });
      await reaches(run, 'failed-step');
      await order(run, 'skip', { by: BOB, gate: 'pods-on-nodes', reason: 'a copy there will do' });
      await waitFor('the next wait', async () => (await viewOf(run)).steps.some(({ state }) => state === 'skipped'), { timeoutMs: 20_000 });
      await order(run, 'abort', { by: BOB });
      expect(await run.result()).toMatchObject({
        phase: 'went-back',
        summary: expect.stringMatching(/Skipped by an operator: .*pods-on-nodes/),
      });
    });
  });

  test('does not go back from behind the point of no return', async () => {
    await upgrade(
      {
        desired: desiredOf(BUMPED),
        world: { crashing: [] },
        activities: (world) => ({
          watchGate: async (acting, cluster, watch) => {
            const real = world.activities().watchGate;
            // Looked at for itself, not by the look before.
            if (watch.call.gate !== 'agreement') return real(acting, cluster, { ...watch, also: [] });
            return {
              outcome: { is: 'failed', reason: 'on purpose', remedy: 'none' },
              table: [],
              readings: 1,
              at: new Date().toISOString(),
              passingSince: undefined,
            };
          },
        }),
      },
      async (run) => {
        await approve(run, BOB, 'lockstep-sequential');
        const { wait } = await reaches(run, 'failed-step');
        expect(wait?.for).toMatch(/on purpose/);
        expect(await refusalOf(order(run, 'abort', { by: BOB }))).toMatch(/no way back any more: step .* has begun/);
        await order(run, 'skip', { by: BOB, gate: 'agreement', reason: 'only a test' });
        expect(await run.result()).toMatchObject({ phase: 'finished' });
      },
    );
  });

  test('a cancellation is an abort', async () => {
    await upgrade({}, async (run, world) => {
      await approve(run);
      await waitFor('a deletion', async () => run.calls.includes('deletePods'), { timeoutMs: 20_000, intervalMs: 5 });
      await run.handle.cancel();
      expect(await run.result()).toMatchObject({
        phase: 'went-back',
        audit: expect.arrayContaining([expect.objectContaining({ did: 'abort' })]),
      });
      expect(world.simulation.observe().pods.every(({ build }) => build.image === OLD.image)).toBe(true);
    });
  });

  test('an action that fails waits for a decision, and a retry goes on', async () => {
    let failures = 1;
    await upgrade(
      {
        activities: (world) => ({
          saveCopies: async (acting, plan, members) =>
            failures-- > 0 ? failing('CONFLICT', 'disk full')() : world.activities().saveCopies(acting, plan, members),
        }),
      },
      async (run) => {
        await approve(run);
        const { wait } = await reaches(run, 'failed-step');
        expect(wait).toMatchObject({ for: expect.stringMatching(/disk full/), updates: [{ name: 'retry' }, { name: 'abort' }] });
        await order(run, 'retry', { by: BOB });
        expect(await run.result()).toMatchObject({ phase: 'finished' });
      },
    );
  });

  test('nobody decides: it stands as it is, and says so', async () => {
    await upgrade(
      { settings: { standSeconds: 1 }, activities: () => ({ patchTemplate: failing('CONFLICT', 'somebody else owns it') }) },
      async (run, world) => {
        await approve(run);
        expect(await failureOf(run)).toMatch(/Nobody has decided in time about step .*somebody else owns it/);
        expect(world.leaseHeld).toBe(false);
        expect(run.calls.at(-1)).toBe('finishUpgrade');
      },
    );
  });

  test('takes the Lease of the probes again when it was lost', async () => {
    await upgrade({}, async (run, world) => {
      await approve(run);
      await waitFor('the Lease', async () => world.leaseHeld, { timeoutMs: 20_000, intervalMs: 5 });
      world.losesLease = true;
      await run.result();
      expect(run.calls.filter((name) => name === 'takeProbeLease').length).toBeGreaterThan(1);
    });
  });
});

describe('gates with nothing between them', () => {
  test('are answered by one look', async () => {
    const { gates, activities } = looking();
    await upgrade({ activities }, async (run) => {
      await approve(run);
      const { steps, phase } = await run.result();
      expect(phase).toBe('finished');
      for (const { step, state, outcome } of steps) {
        if (step.action.do === 'wait-for-gate') expect([step.id, state, outcome?.is]).toEqual([step.id, 'done', 'passed']);
      }
    });
    // That of the volumes has to stay so for a while: it is looked at for itself.
    const others = gates.filter((gate) => gate !== 'volumes-settled');
    expect(others.slice(0, 3)).toEqual(['no-other-operation', 'template-shown', 'quorum-margin']);
    expect(gates.filter((gate) => gate === 'quorum-margin')).toHaveLength(1);
    expect(gates).not.toContain('agreement');
  });

  test('are looked at anew after a pause between them', async () => {
    const paused = latch();
    const { gates, activities } = looking((gate) => (gate === 'no-other-operation' ? paused.opened : Promise.resolve()));
    await upgrade({ activities }, async (run) => {
      await approve(run);
      await order(run, 'pause', { by: BOB });
      paused.open();
      await reaches(run, 'paused');
      await order(run, 'resume', { by: BOB });
      expect((await run.result()).phase).toBe('finished');
    });
    expect(gates.slice(0, 2)).toEqual(['no-other-operation', 'members-online']);
  });
});
