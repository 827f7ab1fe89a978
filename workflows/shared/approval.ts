import { ApplicationFailure, defineUpdate, setHandler } from '@temporalio/workflow';
import { APPROVE_UPDATE, type ApprovalAnswer } from '../../libs/contracts/images.js';
import type { Requester } from '../../libs/contracts/operations.js';
import type { Operation } from './step.js';

const approveUpdate = defineUpdate<ApprovalAnswer, [Requester]>(APPROVE_UPDATE);

/** An operation that begins when somebody says so. The first who does is recorded; more change nothing. */
export class Approval {
  #answer: ApprovalAnswer | undefined;
  #over = false;

  /** Registers the Update; to be made before the workflow's first await. `seconds` absent: none is needed. */
  constructor(readonly seconds: number | undefined) {
    setHandler(
      approveUpdate,
      (by: Requester) => {
        this.#answer ??= { approvedAt: new Date().toISOString(), approvedBy: by };
        return this.#answer;
      },
      { validator: (_by: Requester) => this.#assertAsked() },
    );
  }

  /** Who approved; undefined when nobody needs to. @throws CONFLICT when nobody has until the deadline. */
  async given(operation: Operation, what: string): Promise<Requester | undefined> {
    const { seconds } = this;
    if (seconds === undefined) return undefined;
    return operation.step('approve', `Wait for an admin to approve ${what}`, async () => {
      const given = await operation.waitFor(`an admin's approval of ${what}`, seconds * 1000, () => this.#answer !== undefined);
      this.#over = true;
      if (given && this.#answer) return this.#answer.approvedBy;
      throw ApplicationFailure.create({ type: 'CONFLICT', message: `Nobody has approved ${what} in time.`, nonRetryable: true });
    });
  }

  #assertAsked(): void {
    const missing = this.#answer === undefined;
    if (this.seconds !== undefined && !(missing && this.#over)) return;
    throw ApplicationFailure.create({ type: 'CONFLICT', message: 'The operation does not wait for an approval.', nonRetryable: true });
  }
}
