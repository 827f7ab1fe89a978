import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { resolveTool } from '#lab/tools/resolve.js';
import { waitFor } from '#lab/wait.js';
import { APPROVE_UPDATE, type ImportImageInput, type ImportImageResult } from '#libs/contracts/images.js';
import { type OperationProgress, PROGRESS_QUERY } from '#libs/contracts/progress.js';
import { latch } from '#libs/testing/latch.js';
import { examplePlan, failing, type RigRun, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(60_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const input: ImportImageInput = {
  name: 'image-0123456789abcdef',
  operationId: 'op-1',
  requestedBy: { subject: '3', username: 'admin' },
  alias: 'hello',
  source: { kind: 'github', owner: 'netsoc', repository: 'images', image: 'hello' },
};
const STEPS = [
  'takeImageLock',
  'resolveImport',
  'checkSpace',
  'fetchImage',
  'verifyImage',
  'createImage',
  'moveAlias',
  'removeOldVersions',
  'finishImport',
];
const progressOf = ({ handle }: RigRun<unknown>) => handle.query<OperationProgress>(PROGRESS_QUERY);

describe('importImage', () => {
  test('verifies before it creates, and moves the alias after the image is in', async () => {
    await rig.run<ImportImageResult>('importImage', input, {}, async ({ result, calls }) => {
      expect(await result()).toEqual({
        alias: 'hello',
        fingerprint: 'f'.repeat(64),
        source: examplePlan.source,
        version: '1.0.0',
        architecture: 'amd64',
        image: 'created',
        removed: [],
        transferredBytes: 5,
      });
      expect(calls).toEqual(STEPS);
    });
  });

  test('of a source with a very long name begins all the same', async () => {
    const source = { kind: 'simplestreams', server: `https://${'ä'.repeat(60)}.example/${'x'.repeat(300)}`, alias: 'a' } as const;
    await rig.run<ImportImageResult>('importImage', { ...input, source, alias: 'b'.repeat(128) }, {}, async ({ result }) => {
      expect(await result()).toMatchObject({ image: 'created' });
    });
  });

  test.each(STEPS)('cleans up when %s fails, and fails with its code', async (name) => {
    await rig.run('importImage', input, { [name]: failing('PROTOCOL') }, async ({ result, calls }) => {
      await expect(result()).rejects.toMatchObject({ cause: { type: 'PROTOCOL' } });
      expect(calls).toEqual([...STEPS.slice(0, STEPS.indexOf(name) + 1), 'abandonImport']);
    });
  });

  test('that joins another one has its result, and undoes nothing of it', async () => {
    const joins = { workflowId: 'import:image-0123456789abcdef:op-0', runId: 'run' };
    const other = { alias: 'hello', fingerprint: 'e'.repeat(64) } as ImportImageResult;
    const activities = { takeImageLock: async () => ({ joins }), awaitImport: async () => other };
    await rig.run('importImage', input, activities, async ({ result, calls }) => {
      expect(await result()).toEqual({ ...other, joined: joins.workflowId });
      expect(calls).toEqual(['takeImageLock', 'awaitImport']);
    });
    await rig.run('importImage', input, { ...activities, awaitImport: failing('PROTOCOL') }, async ({ result, calls }) => {
      await expect(result()).rejects.toMatchObject({ cause: { type: 'PROTOCOL' } });
      expect(calls).not.toContain('abandonImport');
    });
  });

  test('a cancelled one cleans up', async () => {
    const held = latch();
    const fetchImage = async () => {
      await held.opened;
      return { files: [], fingerprint: '', transferredBytes: 0 };
    };
    await rig.run('importImage', input, { fetchImage }, async ({ handle, result, calls }) => {
      await waitFor('the download to begin', () => calls.includes('fetchImage'), { timeoutMs: 20_000 });
      await handle.cancel();
      held.open();
      await expect(result()).rejects.toMatchObject({ cause: { message: expect.stringContaining('ancel') } });
      expect(calls).not.toContain('verifyImage');
      expect(calls.at(-1)).toBe('abandonImport');
    });
  });
});

describe('an import that needs an approval', () => {
  const waiting: ImportImageInput = { ...input, approvalSeconds: 3_600 };
  const by = { subject: '3', username: 'admin' };

  test('waits without the lock, says so, and begins when somebody approves; who did is kept', async () => {
    let evidence: unknown;
    const createImage = async (_acting: unknown, image: { approvedBy?: unknown }) => {
      evidence = image.approvedBy;
      return 'created' as const;
    };
    await rig.run<ImportImageResult>('importImage', waiting, { createImage }, async (run) => {
      await waitFor('the wait', async () => (await progressOf(run)).waiting !== undefined, { timeoutMs: 20_000 });
      const { waiting: wait } = await progressOf(run);
      expect(wait?.reason).toContain("an admin's approval of the import of github:netsoc/images/hello as hello");
      expect(Date.parse(wait?.deadline ?? '') - Date.now()).toBeGreaterThan(3_500_000);
      expect(run.calls).toEqual([]);
      const answer = await run.handle.executeUpdate(APPROVE_UPDATE, { args: [by] });
      expect(answer).toMatchObject({ approvedBy: by });
      await run.handle.executeUpdate(APPROVE_UPDATE, { args: [{ subject: '4', username: 'later' }] }).catch(() => 'it has ended');
      expect(await run.result()).toMatchObject({ approvedBy: by });
      expect(evidence).toEqual(by);
    });
  });

  test('ends when nobody approves in time, and when it is cancelled; nothing was begun', async () => {
    await rig.run('importImage', { ...waiting, approvalSeconds: 1 }, {}, async ({ result, calls }) => {
      await expect(result()).rejects.toMatchObject({
        cause: { type: 'CONFLICT', message: expect.stringContaining('Nobody has approved') },
      });
      expect(calls).toEqual([]);
    });
    await rig.run('importImage', waiting, {}, async ({ handle, result, calls }) => {
      await handle.cancel();
      await expect(result()).rejects.toThrow();
      expect(calls).toEqual([]);
    });
  });

  test('one that needs none refuses it', async () => {
    const held = latch();
    const takeImageLock = async () => {
      await held.opened;
      return { taken: true } as const;
    };
    await rig.run('importImage', input, { takeImageLock }, async ({ handle, result }) => {
      await expect(handle.executeUpdate(APPROVE_UPDATE, { args: [by] })).rejects.toThrow(WorkflowUpdateFailedError);
      held.open();
      await result();
    });
  });
});
