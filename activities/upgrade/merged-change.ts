import type { Proposal } from '#libs/contracts/upgrade-activities.js';
import { waiting } from '#libs/domain/upgrade/gate-outcomes.js';
import type { GateName, GateOutcome } from '#libs/domain/upgrade/gates.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { TemplateWay } from '#libs/gitops/types.js';
import { timeLimit } from '#libs/net/time-limit.js';

/** GitHub counts calls. */
export const ASK_MS = 10_000;
/** Pods are rather deleted by what the cluster shows than kept for a GitHub that does not answer. */
const MOMENT_MS = 10_000;

/** At these it counts for itself that the change stands: the first gate after a merge, and the last of all. */
const DECIDED_BY_REPOSITORY: ReadonlySet<GateName> = new Set(['template-shown', 'probes-in-pods']);

export interface Merged {
  readonly way: TemplateWay;
  readonly proposal: Proposal;
}

/**
 * What a gate says together with the repository that the cluster follows. A gate that only the cluster decides about asks it when it has waited for a
 * while: most of them pass before.
 */
export class MergedChange {
  readonly #merged: Merged;
  readonly #gate: GateName;
  readonly #now: () => number;
  readonly #decides: boolean;
  #askedMs: number;
  #said: { readonly of: string; readonly answer: GateOutcome } | undefined;

  constructor(merged: Merged, gate: GateName, now: () => number = Date.now) {
    this.#merged = merged;
    this.#gate = gate;
    this.#now = now;
    this.#decides = DECIDED_BY_REPOSITORY.has(gate);
    this.#askedMs = this.#decides ? Number.NEGATIVE_INFINITY : now();
  }

  /** Of a change that was taken back a failure with who did it; else what the gate says, and of a template that is not shown, that the cluster does not follow. */
  async judge(outcome: GateOutcome, signal: AbortSignal): Promise<GateOutcome> {
    if (outcome.is === 'passed') return this.#decides ? this.#ask(outcome, signal) : outcome;
    const isFresh = this.#now() - this.#askedMs < ASK_MS;
    if (!isFresh) {
      const answer = await this.#ask(outcome, signal);
      this.#askedMs = this.#now();
      this.#said = { of: outcome.reason, answer };
      return answer;
    }
    return this.#said?.of === outcome.reason ? this.#said.answer : outcome;
  }

  async #ask(outcome: GateOutcome, signal: AbortSignal): Promise<GateOutcome> {
    const { way, proposal } = this.#merged;
    const shown = this.#gate === 'template-shown' ? { shown: outcome } : {};
    try {
      const read = await way.read(proposal, { ...shown, signal });
      return read.is === 'failed' || 'shown' in shown ? read : outcome;
    } catch (error) {
      if (!isPlatformError(error) || signal.aborted) throw error;
      return outcome.is === 'passed' ? unread(error.message) : outcome;
    }
  }
}

export function unread(why: string): GateOutcome {
  return waiting('The repository that the cluster follows cannot be read.', why);
}

/** Why the change stands no more, if that is known: a repository that does not answer in a moment says nothing. */
export async function takenBack({ way, proposal }: Merged, signal: AbortSignal): Promise<string | undefined> {
  const limit = timeLimit(MOMENT_MS);
  try {
    const read = await way.read(proposal, { signal: AbortSignal.any([signal, limit]) });
    return read.is === 'failed' ? `${read.reason} ${read.remedy}` : undefined;
  } catch (error) {
    if (signal.aborted || (!limit.aborted && !isPlatformError(error))) throw error;
    return undefined;
  }
}
