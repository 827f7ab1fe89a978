import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import type { AccountAction, AccountFindings } from '#libs/contracts/accounts.js';
import type { WebspaceChange } from '#libs/contracts/operations.js';
import { exampleFacts, failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(60_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const ACTIONS: readonly AccountAction[] = [
  { action: 'rename', name: 'ws-u1', owner: '1', username: 'alicia' },
  { action: 'suspend', name: 'ws-u2', owner: '2', reason: 'deleted' },
  { action: 'resume', name: 'ws-u3', owner: '3' },
  { action: 'archive', name: 'ws-u4', owner: '4' },
];
const findings = (changes: Partial<AccountFindings> = {}): AccountFindings => ({
  checked: 4,
  missing: 1,
  actions: ACTIONS,
  problems: [],
  ...changes,
});
const changed = { uid: exampleFacts.uid, previous: { startupDelaySeconds: 3, httpPort: 80, sniPassthrough: false }, added: [] };

describe('accountPolicy', () => {
  test('does each thing by an operation of its own', async () => {
    const changes: WebspaceChange[] = [];
    const activities = {
      checkAccounts: async () => findings(),
      changeRecord: async ({ name }: { name: string }, change: WebspaceChange) => {
        changes.push(change);
        return { ...changed, name };
      },
    };
    await rig.run('accountPolicy', {}, activities, async ({ result, calls, client }) => {
      expect(await result()).toEqual({ checked: 4, renamed: 1, suspended: 1, resumed: 1, archived: 1, refusals: [] });
      expect(changes).toEqual(
        expect.arrayContaining([
          { owner: { username: 'alicia' } },
          { suspension: { to: 'suspended', since: expect.any(String), reason: 'deleted', by: 'account-policy' } },
          { suspension: { to: 'resumed', by: 'account-policy' } },
        ]),
      );
      expect(calls.filter((name) => name === 'turnOff')).toHaveLength(1);
      expect(calls.indexOf('archiveInstance')).toBeLessThan(calls.indexOf('removeInstance'));
      const ids: string[] = [];
      for await (const { workflowId } of client.workflow.list()) ids.push(workflowId.replace(/policy-.*/, ''));
      expect(ids).toEqual(expect.arrayContaining(['rename:ws-u1:', 'suspend:ws-u2:', 'resume:ws-u3:', 'archive:ws-u4:', 'delete:ws-u4:']));
    });
  });

  test('reads all pages before it acts', async () => {
    const pages = [findings({ next: 'ws-u2', actions: [] }), findings({ problems: ['a.b cannot be a host name'], actions: [] })];
    const seen: unknown[] = [];
    const checkAccounts = async (after: string | undefined) => {
      seen.push(after);
      return pages[seen.length - 1] as AccountFindings;
    };
    await rig.run('accountPolicy', {}, { checkAccounts }, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ checked: 8, refusals: ['a.b cannot be a host name'] });
      expect(calls).toEqual(['checkAccounts', 'checkAccounts']);
      expect(seen.at(-1)).toBe('ws-u2');
    });
  });

  test('does nothing when a page could not be believed, also not what pages before said', async () => {
    let page = 0;
    const checkAccounts = async () => (page++ === 0 ? findings({ next: 'ws-u2' }) : { refused: 'it is away' });
    await rig.run('accountPolicy', {}, { checkAccounts }, async ({ result, calls }) => {
      expect(await result()).toEqual({ checked: 4, renamed: 0, suspended: 0, resumed: 0, archived: 0, refusals: ['it is away'] });
      expect(calls).toEqual(['checkAccounts', 'checkAccounts']);
    });
  });

  test('suspends and archives nothing when that is judged too much; renames and resumes go on', async () => {
    const activities = { checkAccounts: async () => findings(), judgeAccounts: async () => ['too much'] };
    await rig.run('accountPolicy', {}, activities, async ({ result, calls }) => {
      expect(await result()).toEqual({ checked: 4, renamed: 1, suspended: 0, resumed: 1, archived: 0, refusals: ['too much'] });
      expect(calls).not.toContain('turnOff');
      expect(calls).not.toContain('archiveInstance');
    });
  });

  test('an operation that fails does not stop the others, and is not counted', async () => {
    const activities = { checkAccounts: async () => findings(), archiveInstance: failing('CONFLICT') };
    await rig.run('accountPolicy', {}, activities, async ({ result, calls }) => {
      expect(await result()).toMatchObject({ renamed: 1, suspended: 1, resumed: 1, archived: 0 });
      expect(calls).not.toContain('markDeleted');
    });
  });
});

describe('suspendWebspace', () => {
  const input = {
    name: 'ws-u1',
    operationId: 'op-1',
    requestedBy: { subject: '1', username: 'root' },
    change: { suspension: { to: 'suspended', since: '2026-11-23T12:00:00.000Z', reason: 'admin', by: 'root' } },
  };

  test('turns the container off after the record says so, and frees the lock also when that fails', async () => {
    await rig.run('suspendWebspace', input, {}, async ({ result, calls }) => {
      await result();
      expect(calls).toEqual(['changeRecord', 'turnOff', 'settle']);
    });
    await rig.run('suspendWebspace', input, { turnOff: failing('OPERATION_FAILED') }, async ({ result, calls }) => {
      await expect(result()).rejects.toMatchObject({ cause: { type: 'OPERATION_FAILED' } });
      expect(calls).toEqual(['changeRecord', 'turnOff', 'settle']);
    });
  });
});
