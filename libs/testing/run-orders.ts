import { WorkflowFailedError, type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import type { RunPlan, RunView, UpgradeAnswer, UpgradePhase, UpgradeUpdate } from '#libs/contracts/upgrades.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { eventually, type Patience } from './eventually.js';

interface Run {
  readonly handle: WorkflowHandle;
}

const PATIENCE: Patience = { timeoutMs: 30_000, intervalMs: 50 };

export const ALICE = { subject: '1', username: 'alice' };
export const BOB = { subject: '2', username: 'bob' };

/** An upgrade or a scaling as those who follow it and order it something see it; it answers the query with its view. */
export function runOrders<View extends RunView<RunPlan, unknown>>(query: string, patience = PATIENCE) {
  const viewOf = ({ handle }: Run) => handle.query<View>(query);

  async function until(run: Run, what: string, is: (view: View) => boolean): Promise<View> {
    let last: View | undefined;
    const view = async () => {
      last = await viewOf(run);
      return is(last) ? last : undefined;
    };
    return await eventually(view, patience).catch((cause: unknown) => {
      throw new Error(`not ${what}, but ${stateOf(last)}: ${messageOf(cause)}`, { cause });
    });
  }

  const reaches = (run: Run, phase: UpgradePhase) => until(run, phase, (view) => view.phase === phase);

  const waits = (run: Run, reason: RegExp) => until(run, `waiting for ${reason}`, ({ wait }) => reason.test(wait?.for ?? ''));

  const order = ({ handle }: Run, name: UpgradeUpdate, argument: object) =>
    handle.executeUpdate<UpgradeAnswer, [object]>(name, { args: [argument] });

  /** The plan of that kind, or the only one, with its point of no return. */
  async function approve(run: Run, by = BOB, kind?: string): Promise<UpgradeAnswer> {
    const { plans } = await reaches(run, 'awaiting-approval');
    const plan = plans.find((one) => kind === undefined || one.kind === kind);
    return order(run, 'approve', { by, hash: plan?.hash, acceptPointOfNoReturn: plan?.pointOfNoReturn !== undefined });
  }

  return { viewOf, until, reaches, waits, order, approve };
}

function stateOf(view: RunView<RunPlan, unknown> | undefined): string {
  if (!view) return 'without an answer';
  return view.wait ? `${view.phase}, waiting for ${view.wait.for}` : view.phase;
}

/** What a refused order says. */
export async function refusalOf(answer: Promise<UpgradeAnswer>): Promise<string> {
  const error = await answer.then(
    (given) => new Error(`not refused: ${given.answer}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw error;
  return error.cause?.message ?? '';
}

/** What a workflow says that failed. */
export async function failureOf({ result }: { readonly result: () => Promise<unknown> }): Promise<string> {
  const error = await result().then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowFailedError)) throw error;
  return error.cause?.message ?? '';
}
