import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { resolveTool } from '#lab/tools/resolve.js';
import { waitFor } from '#lab/wait.js';
import type { Acting, Comparison } from '#libs/contracts/activities.js';
import {
  type ChangeWebspaceInput,
  CREATED_UPDATE,
  type CreateWebspaceInput,
  LOOK_AGAIN_SIGNAL,
  STARTED_UPDATE,
  type WebspaceChange,
} from '#libs/contracts/operations.js';
import { latch } from '#libs/testing/latch.js';
import { exampleFacts, failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

const requestedBy = { subject: '1', username: 'alice' };
const create: CreateWebspaceInput = {
  name: 'ws-u1',
  operationId: 'op-1',
  uid: exampleFacts.uid,
  owner: exampleFacts.owner,
  requestedBy,
  image: 'hello',
  boot: false,
};
const failureOf = (result: Promise<unknown>) =>
  result.then(
    () => undefined,
    (error: { cause?: unknown }) => error.cause,
  );
const UNDO = ['removeInstance', 'removeObjects', 'releaseLock'];
jest.setTimeout(60_000);
let rig: WorkflowRig;

beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

/** An activity that goes on until it is cancelled. */
const untilCancelled = async (): Promise<never> => {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 50);
  return context.cancelled.finally(() => clearInterval(timer));
};

describe('createWebspace', () => {
  test('claims, makes and publishes, looks last, and tells what it made', async () => {
    await rig.run('createWebspace', create, {}, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ name: 'ws-u1', host: 'alice.ws.example.org', address: '10.77.128.5' });
      expect(calls).toEqual(['makeWebspace', 'settle']);
    });
  });

  test("undoes in reverse when a step fails, and fails with the step's own code and sentence", async () => {
    await rig.run('createWebspace', create, { makeWebspace: failing('OPERATION_FAILED', 'no space left') }, async ({ result, calls }) => {
      const failure = await failureOf(result());
      expect(failure).toMatchObject({ type: 'OPERATION_FAILED', message: 'no space left' });
      expect(calls.filter((name) => UNDO.includes(name))).toEqual(UNDO);
      expect(calls).not.toContain('settle');
    });
  });

  test('undoes when it is cancelled, and ends as cancelled', async () => {
    await rig.run('createWebspace', create, { makeWebspace: untilCancelled }, async ({ handle, result, calls }) => {
      await waitFor('it to be made', () => calls.includes('makeWebspace'), { timeoutMs: 20_000 });
      await handle.cancel();
      expect(await failureOf(result())).toBeInstanceOf(CancelledFailure);
      expect(calls.filter((name) => UNDO.includes(name))).toEqual(UNDO);
    });
  }, 30_000);

  test('answers at its commit point, after which a cancellation undoes nothing', async () => {
    const held = latch();
    const settle = async () => {
      await held.opened;
      return { phase: 'stopped' };
    };
    await rig.run('createWebspace', create, { settle }, async ({ handle, result, calls }) => {
      expect(await handle.executeUpdate(CREATED_UPDATE)).toMatchObject({ uid: exampleFacts.uid });
      await handle.cancel();
      held.open();
      expect(await result()).toMatchObject({ name: 'ws-u1' });
      expect(calls.filter((name) => UNDO.includes(name))).toEqual([]);
    });
  });

  test('says what could not be undone', async () => {
    const activities = { makeWebspace: failing('UNAVAILABLE', 'LXD is away'), removeObjects: failing('DENIED_UPSTREAM', 'refused') };
    await rig.run('createWebspace', create, activities, async ({ result, calls }) => {
      expect(await failureOf(result())).toMatchObject({
        type: 'UNAVAILABLE',
        message: expect.stringMatching(/LXD is away.*Could not be undone.*remove-objects: refused/),
      });
      expect(calls).toContain('releaseLock');
    });
  });

  test('asks again while a delete holds the lock, and shows whose it is', async () => {
    const answers = [{ busy: 'delete (delete:ws-u1:x) holds the lock' }, { busy: 'delete (delete:ws-u1:x) holds the lock' }];
    await rig.run('createWebspace', create, { makeWebspace: async () => answers.shift() ?? exampleFacts }, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ name: 'ws-u1' });
      expect(calls.filter((name) => name === 'makeWebspace')).toHaveLength(3);
    });
  });
});

describe('createWebspace with a password and a key', () => {
  const extras = { passwordHash: 'k1.sealed', sshKey: 'ssh-ed25519 AAAA alice' };
  const steps = ['makeWebspace', 'setRootPassword', 'authorizeKey', 'installSsh', 'finishCreation'];

  test.each([
    ['both', extras, steps],
    ['a password', { passwordHash: 'k1.sealed' }, ['makeWebspace', 'setRootPassword', 'finishCreation']],
    ['a key', { sshKey: extras.sshKey }, ['makeWebspace', 'authorizeKey', 'installSsh', 'finishCreation']],
  ])('takes the steps for %s before it boots, and answers afterwards', async (_what, wanted, expected) => {
    const input = { ...create, boot: true, extras: wanted };
    await rig.run('createWebspace', input, {}, async ({ handle, calls }) => {
      await handle.executeUpdate(CREATED_UPDATE);
      expect(calls.slice(0, expected.length + 2)).toEqual([...expected, 'startInstance', 'awaitReady']);
    });
  });

  test('tells the forward that was made', async () => {
    const ports = [{ protocol: 'tcp' as const, external: 50_022, internal: 22 }];
    const makeWebspace = async () => ({ ...exampleFacts, ports });
    await rig.run('createWebspace', { ...create, extras }, { makeWebspace }, async ({ handle }) => {
      expect(await handle.executeUpdate(CREATED_UPDATE)).toMatchObject({ ports });
    });
  });

  test.each(steps.slice(1))('leaves nothing when %s fails', async (step) => {
    await rig.run('createWebspace', { ...create, extras }, { [step]: failing('OPERATION_FAILED') }, async ({ result, calls }) => {
      expect(await failureOf(result())).toMatchObject({ type: 'OPERATION_FAILED' });
      expect(calls.slice(-UNDO.length)).toEqual(UNDO);
    });
  });
});

describe('bootWebspace', () => {
  test('answers everybody who waits for the start once the container runs', async () => {
    await rig.run('bootWebspace', { name: 'ws-u1' }, { settle: async () => ({ phase: 'running' }) }, async ({ handle, result }) => {
      const answers = await Promise.all([handle.executeUpdate(STARTED_UPDATE), handle.executeUpdate(STARTED_UPDATE)]);
      const answer = { changed: true, address: exampleFacts.address };
      expect(answers).toEqual([answer, answer]);
      expect(await result()).toEqual({ name: 'ws-u1', phase: 'running' });
    });
  });

  test('that fails tells them why, and frees the lock', async () => {
    await rig.run(
      'bootWebspace',
      { name: 'ws-u1' },
      { startInstance: failing('OPERATION_FAILED', 'no init') },
      async ({ handle, result, calls }) => {
        const update = handle.executeUpdate(STARTED_UPDATE).then(
          () => undefined,
          (error: { cause?: unknown }) => error.cause,
        );
        expect(await failureOf(result())).toMatchObject({ type: 'OPERATION_FAILED', message: 'no init' });
        const told = await update;
        if (told !== undefined) expect(told).toBeInstanceOf(ApplicationFailure);
        expect(calls).toEqual(['startInstance', 'settle']);
      },
    );
  });
});

describe.each(['changeConfig', 'changeDomains', 'changePortForwards', 'changeWebspace'])('%s', (workflow) => {
  const input: ChangeWebspaceInput = { name: 'ws-u1', operationId: 'op', requestedBy, change: { config: { httpPort: 8080 } } };

  test('writes the record, publishes it, and tells what was before', async () => {
    await rig.run(workflow, input, {}, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ name: 'ws-u1', previous: { httpPort: 80 } });
      expect(calls).toEqual(['changeRecord', 'settle']);
    });
  });

  test('that fails releases what it claimed, and frees the lock', async () => {
    await rig.run(workflow, input, { changeRecord: failing('CONFLICT', 'taken') }, async ({ result, calls }) => {
      expect(await failureOf(result())).toMatchObject({ type: 'CONFLICT', message: 'taken' });
      expect(calls).toEqual(['changeRecord', 'settle']);
    });
  });
});

describe('a change that is cancelled after its record was written', () => {
  test('goes on to its end: what the record says is published, and the lock freed', async () => {
    const input: ChangeWebspaceInput = { name: 'ws-u1', operationId: 'op', requestedBy, change: { config: { httpPort: 8080 } } };
    let cancel: () => Promise<unknown> = async () => undefined;
    const changeRecord = async () => {
      await cancel();
      return { name: 'ws-u1', uid: exampleFacts.uid, previous: { startupDelaySeconds: 3, httpPort: 80, sniPassthrough: false }, added: [] };
    };
    await rig.run('changeConfig', input, { changeRecord }, async ({ handle, result, calls }) => {
      cancel = () => handle.cancel();
      expect(await result()).toMatchObject({ name: 'ws-u1' });
      expect(calls).toEqual(['changeRecord', 'settle']);
    });
  });
});

describe('changeDomains', () => {
  const change = { domains: { add: ['shop.example.com'], remove: ['blog.example.com'] } };
  const input: ChangeWebspaceInput = { name: 'ws-u1', operationId: 'op', requestedBy, change };

  test('asks for the proof before it takes the lock', async () => {
    await rig.run('changeDomains', input, {}, async ({ result, calls }) => {
      await result();
      expect(calls).toEqual(['proveDomains', 'changeRecord', 'settle']);
    });
  });

  test('leaves everything alone when a domain is not proved', async () => {
    await rig.run('changeDomains', input, { proveDomains: failing('INVALID_INPUT', 'no TXT record') }, async ({ result, calls }) => {
      expect(await failureOf(result())).toMatchObject({ type: 'INVALID_INPUT', message: 'no TXT record' });
      expect(calls).toEqual(['proveDomains']);
    });
  });

  test('for the sweep removes only what is unproved still', async () => {
    const removed: unknown[] = [];
    const activities = {
      stillUnproved: async () => ['b.example.com'],
      changeRecord: async (_acting: unknown, { domains }: WebspaceChange) => {
        removed.push(domains);
        return {
          name: 'ws-u1',
          uid: exampleFacts.uid,
          previous: { startupDelaySeconds: 3, httpPort: 80, sniPassthrough: false },
          added: [],
        };
      },
    };
    const sweeping = { ...input, change: { domains: { add: [], remove: ['a.example.com', 'b.example.com'] } }, onlyUnproved: true };
    await rig.run('changeDomains', sweeping, activities, async ({ result, calls }) => {
      await result();
      expect(calls).toEqual(['stillUnproved', 'changeRecord', 'settle']);
      expect(removed).toEqual([{ add: [], remove: ['b.example.com'] }]);
    });
  });
});

describe('verifyDomains', () => {
  const toRelease = [
    { name: 'ws-u1', domains: ['a.example.com', 'b.example.com'] },
    { name: 'ws-u2', domains: ['c.example.com'] },
  ];
  const checks = { proved: 5, refuted: 4, unanswered: 1, toRelease, refusals: [] };

  test('releases by an operation of each webspace, and goes on when one fails', async () => {
    const changeRecord = async ({ name }: Acting) => {
      if (name === 'ws-u1') return failing('CONFLICT', 'being deleted')();
      return { name, uid: exampleFacts.uid, previous: { startupDelaySeconds: 3, httpPort: 80, sniPassthrough: false }, added: [] };
    };
    await rig.run('verifyDomains', {}, { checkDomains: async () => checks, changeRecord }, async ({ handle, result, client, calls }) => {
      expect(await result()).toEqual({ proved: 5, refuted: 4, unanswered: 1, released: 1, refusals: [] });
      expect(calls.filter((name) => name === 'stillUnproved')).toHaveLength(2);
      const { runId } = await handle.describe();
      expect((await client.workflow.getHandle(`domains:ws-u2:verify-${runId}`).describe()).status.name).toBe('COMPLETED');
    });
  });
});

describe('deleteWebspace', () => {
  test('goes to its end although it is cancelled', async () => {
    await rig.run('deleteWebspace', { name: 'ws-u1', operationId: 'op', requestedBy }, {}, async ({ handle, result, calls }) => {
      await handle.cancel();
      expect(await result()).toEqual({ name: 'ws-u1', uid: exampleFacts.uid });
      expect(calls).toEqual(['markDeleted', 'takeOver', 'removeInstance', 'removeObjects', 'releaseLock']);
    });
  });
});

describe('rebootWebspace', () => {
  test('leads visitors away, stops, starts, and waits until the port answers', async () => {
    await rig.run('rebootWebspace', { name: 'ws-u1', operationId: 'op', requestedBy }, {}, async ({ result, calls }) => {
      await result();
      expect(calls).toEqual(['beginStop', 'stopInstance', 'startInstance', 'awaitReady', 'settle']);
    });
  });
});

describe('reconcileWebspace', () => {
  test('looks once more for any number of signals that come while it runs', async () => {
    const held = latch();
    const reconcile = async () => {
      await held.opened;
      return { outcome: 'in step', again: false };
    };
    await rig.run('reconcileWebspace', { name: 'ws-u1', reason: 'event' }, { reconcile }, async ({ handle, result, calls }) => {
      await waitFor('the first look', () => calls.length > 0, { timeoutMs: 20_000 });
      await Promise.all([handle.signal(LOOK_AGAIN_SIGNAL), handle.signal(LOOK_AGAIN_SIGNAL)]);
      held.open();
      await result();
      expect(calls).toEqual(['reconcile', 'reconcile']);
    });
  });
});

describe('sweep', () => {
  const comparison = (parts: Partial<Comparison>): Comparison => ({
    instances: 2,
    removed: 0,
    refusals: [],
    toReconcile: [],
    toRestore: [],
    toDelete: [],
    complete: true,
    claimsOpen: false,
    ...parts,
  });

  test('opens the claims only after everything has been restored and compared again', async () => {
    const rounds = [comparison({ toRestore: ['ws-u1', 'ws-u2'] }), comparison({})];
    await rig.run('sweep', {}, { compareAll: async () => rounds.shift() ?? comparison({}) }, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ restored: 2 });
      expect(calls.filter((name) => name === 'compareAll' || name === 'openClaims')).toEqual(['compareAll', 'compareAll', 'openClaims']);
    });
  });

  test('leaves the claims closed when an instance could not be read', async () => {
    await rig.run('sweep', {}, { compareAll: async () => comparison({ complete: false }) }, async ({ result, calls }) => {
      await result();
      expect(calls).not.toContain('openClaims');
    });
  });

  test('goes on when a repair fails', async () => {
    const activities = { compareAll: async () => comparison({ toReconcile: ['ws-u1'], claimsOpen: true }), reconcile: failing('PROTOCOL') };
    await rig.run('sweep', {}, activities, async ({ result }) => {
      expect(await result()).toMatchObject({ reconciled: 1 });
    });
  });
});
