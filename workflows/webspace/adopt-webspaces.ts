import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowFailure, continueAsNew, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type {
  AdoptionFailure,
  AdoptionPlan,
  AdoptionTotals,
  AdoptWebspaceInput,
  AdoptWebspaceResult,
  AdoptWebspacesInput,
} from '../../libs/contracts/adoption.js';
import { workflowIdOf } from '../../libs/contracts/ids.js';
import { lasting, quick, slow } from '../shared/activities.js';
import { reasonOf } from '../shared/failures.js';
import { Operation } from '../shared/step.js';
import { rebuild } from './rebuild.js';

const LOCK_DEADLINE_MS = 30_000;
/** Webspaces of one run: its history stays small, and a report fits into a payload. */
const PAGE = 250;
const AT_ONCE = 8;
const FAILURES_TOLD = 200;

/**
 * Takes over what the original made, each webspace by an operation of its own and under its lock; or, as a dry run, says what that would change. Safe
 * to run again: what is converted is left alone. No container is stopped or started.
 */
export async function adoptWebspaces(input: AdoptWebspacesInput): Promise<AdoptionPlan | AdoptionTotals> {
  const operation = new Operation();
  const outcome = await operation.run(async () => {
    const page = { after: input.after, limit: PAGE };
    const plan = await operation.step('plan', 'Read what the original left', () => slow('Read what the original left').planAdoption(page));
    if (input.dryRun) return { plan };
    const totals = await operation.step('convert', `${plan.webspaces.length} of ${plan.total} webspaces`, () => convertAll(input, plan));
    await operation.step('report', summaryOf(totals), async () => totals);
    return { plan, totals };
  });
  if (!outcome.totals) return outcome.plan;
  if (outcome.plan.next === undefined) return outcome.totals;
  return continueAsNew<typeof adoptWebspaces>({ ...input, after: outcome.plan.next, soFar: outcome.totals });
}

/** Makes one webspace of the original one of ours: converts its record, and makes claims and objects from it. */
export async function adoptWebspace({ name, operationId }: AdoptWebspaceInput): Promise<AdoptWebspaceResult> {
  const unread: Acting = { kind: 'adopt', name, operationId, uid: '' };
  const operation = new Operation();
  return operation.run(async () => {
    operation.undoBy('settle', `Look last and free the lock of ${name}`, () => lasting(`Settle ${name}`).settle(unread));
    const facts = await operation.stepWhenFree('convert', `Convert the record of ${name}`, LOCK_DEADLINE_MS, () =>
      quick(`Convert the record of ${name}`).convertRecord(unread),
    );
    const phase = await rebuild(operation, { ...unread, uid: facts.uid }, facts);
    return { name, uid: facts.uid, converted: facts.converted, phase };
  });
}

/** A few at a time; one that fails stops no other. */
async function convertAll({ operationId, soFar }: AdoptWebspacesInput, plan: AdoptionPlan): Promise<AdoptionTotals> {
  const failed: AdoptionFailure[] = [...(soFar?.failed ?? [])];
  let converted = soFar?.converted ?? 0;
  const queue = plan.webspaces.map(({ name }) => name);
  const lane = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const failure = await convert(name, operationId);
      if (!failure) converted++;
      else if (failed.length < FAILURES_TOLD) failed.push(failure);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { converted, failed };
}

async function convert(name: string, operationId: string): Promise<AdoptionFailure | undefined> {
  try {
    await executeChild(adoptWebspace, {
      workflowId: workflowIdOf('adopt', name, operationId),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `adopt ${name}`,
      args: [{ name, operationId }],
    });
    return undefined;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    const { code, message } = reasonOf(error.cause);
    if (code === 'CANCELLED') throw error;
    return { name, code, message };
  }
}

function summaryOf({ converted, failed }: AdoptionTotals): string {
  const names = failed.length === 0 ? '' : `: ${failed.map(({ name }) => name).join(', ')}`;
  return `${converted} converted, ${failed.length} not${names}`;
}
