import { setTimeout as pause } from 'node:timers/promises';
import { type Call, guarded } from '#activities/shared/guard.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { GateReading, GateWatch, OfPlan, Proposal, TemplateChange, UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import type { GateOutcome } from '#libs/domain/upgrade/gates.js';
import type { UpgradeWorld } from './upgrade-world.js';
import { failing } from './workflow-rig.js';

const LOOK_MS = 20;

interface Pull extends Proposal {
  readonly change: TemplateChange;
  state: 'open' | 'closed' | 'merged';
}

/** The repository that a simulated cluster follows: people are the test. */
export class WorldRepository {
  readonly pulls: Pull[] = [];
  /** What activities were told of a merged pull request, by their name and gate. */
  readonly told: { readonly by: string; readonly number: number | undefined }[] = [];
  readonly withdrawn: number[] = [];
  /** Whoever took a merged change back. */
  revertedBy: string | undefined;
  readonly #world: UpgradeWorld;

  constructor(world: UpgradeWorld) {
    this.#world = world;
  }

  merge(number: number): void {
    const pull = this.#pull(number);
    pull.state = 'merged';
    this.#world.simulation.apply(pull.change);
  }

  close(number: number): void {
    this.#pull(number).state = 'closed';
  }

  activities(): Partial<UpgradeActivities> {
    const { watchGate, deletePods } = this.#world.activities();
    return {
      proposeTemplate: async (_acting, _plan, change, stepId) => {
        const number = this.pulls.length + 1;
        const proposal = { number, url: `https://git.example/pull/${number}`, branch: stepId, values: [] };
        this.pulls.push({ ...proposal, change, state: 'open' });
        return proposal;
      },
      watchProposal: guarded((call: Call, _acting: Acting, _plan: OfPlan, { number }: Proposal, watch) => this.#watch(call, number, watch)),
      withdrawProposal: async (_acting, _plan, { number }) => {
        this.withdrawn.push(number);
        this.close(number);
      },
      watchGate: async (acting, cluster, watch) => {
        this.told.push({ by: watch.call.gate, number: watch.proposal?.number });
        return watchGate(acting, cluster, watch);
      },
      deletePods: async (acting, plan, deletion) => {
        this.told.push({ by: 'delete-pods', number: deletion.proposal?.number });
        const { revertedBy } = this;
        if (deletion.proposal && revertedBy !== undefined) return failing('CONFLICT', `No pod is deleted. ${revertedBy} took it back.`)();
        return deletePods(acting, plan, deletion);
      },
    };
  }

  async #watch(
    { signal }: Call,
    number: number,
    { knownReason, returnOn }: Pick<GateWatch, 'knownReason' | 'returnOn'>,
  ): Promise<GateReading> {
    for (let readings = 1; ; readings++) {
      const outcome = this.#outcomeOf(this.#pull(number));
      const isNews = outcome.is !== 'waiting' || (returnOn === 'change' && outcome.reason !== knownReason);
      if (isNews) return { outcome, table: [], readings, at: new Date().toISOString(), passingSince: undefined };
      await pause(LOOK_MS, undefined, { signal });
    }
  }

  #pull(number: number): Pull {
    const pull = this.pulls[number - 1];
    if (!pull) throw new Error(`there is no pull request ${number}`);
    return pull;
  }

  #outcomeOf({ state, url }: Pull): GateOutcome {
    if (state === 'merged') return { is: 'passed', because: `${url} is merged.` };
    if (state === 'closed') return { is: 'failed', reason: `${url} was closed.`, remedy: 'Reopen it.' };
    return { is: 'waiting', reason: `${url} waits for a person to merge it.` };
  }
}
