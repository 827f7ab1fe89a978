import { workflowInfo } from '@temporalio/workflow';
import { ACCOUNT_POLICY, type AccountAction, type AccountPolicyResult } from '../../libs/contracts/accounts.js';
import type { ChangeWebspaceInput, OperationKind, WebspaceChange } from '../../libs/contracts/operations.js';
import { quick } from '../shared/activities.js';
import { inTurns, runOperation } from '../shared/operations.js';
import { Operation } from '../shared/step.js';

/** Follows the accounts of all webspaces: renames, suspends, resumes and archives, each by an operation of its own. */
export async function accountPolicy(): Promise<AccountPolicyResult> {
  const operation = new Operation();
  return operation.run(async () => {
    const actions: AccountAction[] = [];
    const refusals: string[] = [];
    let [checked, missing] = [0, 0];
    let after: string | undefined;
    do {
      const found = await operation.step('check', after === undefined ? 'Look the accounts up' : `Look up those after ${after}`, () =>
        quick('Look accounts up').checkAccounts(after),
      );
      if ('refused' in found) return { ...countsOf([]), checked, refusals: [found.refused] };
      actions.push(...found.actions);
      refusals.push(...found.problems);
      checked += found.checked;
      missing += found.missing;
      after = found.next;
    } while (after !== undefined);
    if (actions.length === 0) return { ...countsOf([]), checked, refusals };
    const count = (action: string) => actions.filter((one) => one.action === action).length;
    const doubts = await operation.step('judge', `${actions.length} webspaces`, () =>
      quick('Judge what was found').judgeAccounts({ checked, missing, toSuspend: count('suspend'), toArchive: count('archive') }),
    );
    refusals.push(...doubts);
    const mild = ({ action }: AccountAction) => action === 'rename' || action === 'resume';
    const wanted = doubts.length === 0 ? actions : actions.filter(mild);
    const done: AccountAction[] = [];
    await operation.step('act', `${wanted.length} webspaces`, () =>
      inTurns(wanted, async (action) => {
        if (await act(action)) done.push(action);
      }),
    );
    return { ...countsOf(done), checked, refusals };
  });
}

function countsOf(done: readonly AccountAction[]) {
  const count = (action: AccountAction['action']) => done.filter((one) => one.action === action).length;
  return { renamed: count('rename'), suspended: count('suspend'), resumed: count('resume'), archived: count('archive') };
}

const requestedBy = { subject: ACCOUNT_POLICY, username: ACCOUNT_POLICY };

/** One that fails is in Temporal UI, and comes back at the next round. */
async function act(action: AccountAction): Promise<boolean> {
  const { name, owner } = action;
  const operationId = `policy-${workflowInfo().runId}`;
  const input = { name, operationId, requestedBy };
  const start = (kind: OperationKind) => ({ kind, name, owner, operationId, requestedBy });
  const change = (wanted: WebspaceChange): ChangeWebspaceInput => ({ ...input, change: wanted });
  switch (action.action) {
    case 'rename':
      return runOperation(start('rename'), change({ owner: { username: action.username } }));
    case 'suspend': {
      const since = new Date().toISOString();
      return runOperation(start('suspend'), change({ suspension: { to: 'suspended', since, reason: action.reason, by: ACCOUNT_POLICY } }));
    }
    case 'resume':
      return runOperation(start('resume'), change({ suspension: { to: 'resumed', by: ACCOUNT_POLICY } }));
    case 'archive':
      return runOperation(start('archive'), input);
  }
}
