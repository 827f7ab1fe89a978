import { ApplicationFailure, activityInfo, Context } from '@temporalio/activity';
import type { Activities } from '#apps/worker/assemble.js';
import type { Trap, TrapFolder } from './traps.js';

const HEARTBEAT_MS = 1_000;
type Run = (...args: unknown[]) => Promise<unknown>;

/** Puts the traps around every activity of a worker. */
export class TrappedActivities {
  readonly #folder: TrapFolder;
  readonly #waiting = new Map<string, Trap>();
  readonly #inFlight = new Map<string, Trap>();
  readonly #releases = new Map<string, () => void>();
  #patience: NodeJS.Timeout | undefined;

  constructor(folder: TrapFolder) {
    this.#folder = folder;
  }

  decorate(activities: Activities): Activities {
    const wrapped = Object.entries(activities).map(([name, run]) => [name, this.#wrap(name, run as Run)]);
    return Object.fromEntries(wrapped) as Activities;
  }

  #wrap(activity: string, run: Run): Run {
    return async (...args) => {
      const workflowId = activityInfo().workflowExecution?.workflowId;
      const meant = (one: { workflowId: string; activity: string }) => one.workflowId === workflowId && one.activity === activity;
      if (this.#folder.refusals().some(meant)) {
        throw ApplicationFailure.nonRetryable('Refused by the test.', 'OPERATION_FAILED');
      }
      const plan = this.#folder.plan();
      const trap = plan?.traps.find(meant);
      if (!plan || !trap) return run(...args);
      switch (trap.when) {
        case 'before':
          return this.#arrive(trap, plan.traps.length, plan.patienceMs);
        case 'inside':
          await this.#arrive(trap, plan.traps.length, plan.patienceMs);
          return this.#during(trap, run(...args));
        case 'after': {
          const result = await run(...args);
          await this.#arrive(trap, plan.traps.length, plan.patienceMs);
          return result;
        }
      }
    };
  }

  async #during(trap: Trap, running: Promise<unknown>): Promise<unknown> {
    this.#waiting.delete(keyOf(trap));
    this.#inFlight.set(keyOf(trap), trap);
    try {
      return await running;
    } finally {
      this.#inFlight.delete(keyOf(trap));
    }
  }

  /** Waits, alive to Temporal, until everybody has come; only those with `inside` go on. */
  #arrive(trap: Trap, expected: number, patienceMs: number): Promise<void> {
    this.#waiting.set(keyOf(trap), trap);
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat({ waitingFor: 'the trap' }), HEARTBEAT_MS);
    this.#patience ??= setTimeout(() => this.#close(), patienceMs);
    return new Promise<void>((resolve) => {
      this.#releases.set(keyOf(trap), () => {
        clearInterval(beat);
        resolve();
      });
      if (this.#waiting.size === expected) this.#close();
    });
  }

  #close(): void {
    clearTimeout(this.#patience);
    const inside = [...this.#waiting.values()].filter(({ when }) => when === 'inside');
    const lead = Math.max(0, ...inside.map(({ leadMs }) => leadMs));
    for (const trap of inside) setTimeout(() => this.#releases.get(keyOf(trap))?.(), lead - trap.leadMs);
    setTimeout(() => this.#die(), lead);
  }

  #die(): void {
    const parked = [...this.#waiting.values()].filter(({ when }) => when !== 'inside');
    this.#folder.spring([...parked, ...this.#inFlight.values()]);
    process.kill(process.pid, 'SIGKILL');
  }
}

function keyOf({ workflowId, activity, when }: Trap): string {
  return `${workflowId} ${activity} ${when}`;
}
