import { CancellationScope, patched } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { GateReading, OfPlan, PodDeletion, Proposal, TemplateChange } from '../../libs/contracts/upgrade-activities.js';
import type { UpgradeRequest } from '../../libs/contracts/upgrades.js';
import type { PlannedStep, UpgradeAction } from '../../libs/domain/upgrade/actions.js';
import type { UpgradePlan } from '../../libs/domain/upgrade/plan.js';
import { type Done, type Following, FollowPlan, summaryOf, type Way } from '../cluster/follow-plan.js';
import type { StepRecord } from '../cluster/run-record.js';
import { deletedNone } from '../shared/failures.js';
import { longUpgradeStep, upgradeStep, watching } from './activities.js';
import type { ProbeLease } from './probe-lease.js';

export interface FollowingUpgrade extends Following<UpgradePlan, UpgradeRequest> {
  readonly acting: Acting;
  readonly lease: ProbeLease;
  /** Where a merge is waited for. */
  readonly mergeSeconds: number;
}

type Step = StepRecord<PlannedStep>;
type Wait = Extract<UpgradeAction, { do: 'wait-for-gate' }>;

/** Histories from before it looked anew for each gate. */
const ONE_LOOK = 'gates-of-one-look';
/** What only looks, or saves: an upgrade that did no more has changed nothing. */
const HARMLESS: ReadonlySet<UpgradeAction['do']> = new Set(['wait-for-gate', 'save-copies']);

/** Follows the steps of an upgrade. */
export class FollowSteps extends FollowPlan<UpgradePlan, UpgradeRequest> {
  readonly #parts: FollowingUpgrade;
  readonly #of: OfPlan;
  #proposal: Proposal | undefined;
  /** Merged last: what the cluster shall show until the next one, and pods are made of. */
  #merged: Proposal | undefined;
  /** The gates that follow the present step with nothing between. */
  #next: readonly Step[] = [];
  /** Those of them that the look before has answered already: they passed. */
  readonly #passed = new Map<Step, GateReading>();

  constructor(parts: FollowingUpgrade) {
    super(parts, HARMLESS);
    this.#parts = parts;
    const { cluster, hash, kind } = parts.plan;
    this.#of = { cluster, hash, kind };
  }

  /** A pull request that is not merged yet. */
  get proposal(): Proposal | undefined {
    return this.#proposal;
  }

  override async all(steps: readonly Step[], way: Way): Promise<void> {
    if (way === 'going-back' && this.way !== way) this.#merged = undefined;
    this.#passed.clear();
    await super.all(steps, way);
  }

  async #assertLease(): Promise<void> {
    const { lost } = this.#parts.lease;
    if (lost === undefined) return;
    const { plan, lease } = this.#parts;
    const name = plan.steps.flatMap(({ action }) => (action.do === 'take-probe-lease' ? [action.lease] : []))[0];
    if (name !== undefined) await lease.take(name);
  }

  protected override async run(current: Step, rest: readonly Step[], stood: boolean): Promise<Done> {
    // Nobody looked while it stood there.
    if (stood) this.#passed.clear();
    this.#next = gatesAt(rest);
    await this.#assertLease();
    const { acting, plan, lease, record } = this.#parts;
    const of = this.#of;
    const { step } = current;
    const { action } = step;
    const text = summaryOf(current);
    switch (action.do) {
      case 'wait-for-gate':
        return this.#gate(current, action);
      case 'save-copies': {
        const { place, files } = await this.orStop(() => longUpgradeStep(text).saveCopies(acting, of, action.members));
        return { result: `${files.length} files in ${place}` };
      }
      case 'patch-template':
        return action.way === 'gitops'
          ? this.#propose(step, action)
          : this.plain(() => upgradeStep(text).patchTemplate(acting, of, action));
      case 'recreate-statefulset':
        return this.plain(() => upgradeStep(text).recreateStatefulSet(acting, of, action));
      case 'set-update-strategy':
        return this.plain(() => upgradeStep(text).setUpdateStrategy(acting, of, action));
      case 'evacuate-member':
        return this.plain(() => longUpgradeStep(text).evacuateMember(acting, of, action.member));
      case 'restore-member':
        return this.plain(() => longUpgradeStep(text).restoreMember(acting, of, action.member));
      case 'take-probe-lease':
        return this.plain(() => lease.take(action.lease));
      case 'release-probe-lease':
        return this.plain(() => lease.release(action.lease));
      case 'delete-pods': {
        const { pods, members } = action;
        const forth = this.way === 'running';
        const build = forth ? plan.target.build : plan.before.build;
        const quorum = forth ? plan.quorum : this.#hadMargin(current) ? 'kept' : 'no-margin';
        const { nodes } = plan.aims[forth ? 'target' : 'before'];
        const deletion = { pods, members, nodes, build, quorum, still: this.#stillOf(current, members), ...this.#ofRepository() };
        record.absences.begin(members);
        try {
          return await this.plain(() => upgradeStep(text).deletePods(acting, of, deletion));
        } catch (error) {
          if (deletedNone(error)) record.absences.takeBack(members);
          throw error;
        }
      }
    }
  }

  async #propose(step: PlannedStep, change: TemplateChange): Promise<Done> {
    const { acting, plan, mergeSeconds } = this.#parts;
    const summary = `Pull request for ${plan.cluster}: ${change.build.image}`;
    this.#merged = undefined;
    const propose = () => upgradeStep(summary).proposeTemplate(acting, plan, change, step.id);
    // Not cut off by an abort: a pull request that nobody knows of would stay open.
    const proposal = patched('a-proposal-is-not-cut-off') ? await CancellationScope.nonCancellable(propose) : await this.orStop(propose);
    this.#proposal = proposal;
    const passed = await this.watch(mergeSeconds, (watch) =>
      watching(mergeSeconds * 1000)(`Wait for ${proposal.url} to be merged`).watchProposal(acting, this.#of, proposal, {
        ...watch,
        settleSeconds: 0,
      }),
    );
    if (passed !== 'done') return passed;
    this.#proposal = undefined;
    this.#merged = proposal;
    return { result: proposal.url };
  }

  async #gate(step: Step, wait: Wait): Promise<Done> {
    const { acting, plan, record } = this.#parts;
    const { gate, members, aim, deadlineSeconds, settleSeconds } = wait;
    const answered = this.#passed.get(step);
    this.#passed.delete(step);
    if (answered) {
      record.read(step, answered);
      return 'done';
    }
    // Of a merged change each gate asks the repository, too.
    const next = this.#next.length > 0 && !this.#merged && patched(ONE_LOOK) ? this.#next : [];
    const also = next.flatMap(({ step: { action } }) =>
      action.do === 'wait-for-gate' ? [{ call: { gate: action.gate, members: action.members }, aim: plan.aims[action.aim] }] : [],
    );
    return this.watch(deadlineSeconds, async (watch) => {
      const reading = await watching(deadlineSeconds * 1000)(summaryOf(step)).watchGate(acting, plan.cluster, {
        ...watch,
        call: { gate, members },
        aim: plan.aims[aim],
        settleSeconds,
        ...this.#ofRepository(),
        ...(also.length > 0 ? { also } : {}),
      });
      this.#answered(next, reading);
      return reading;
    });
  }

  /** One after the other until one has not passed: that one and those after it are looked at when it is their turn. */
  #answered(next: readonly Step[], { also = [], outcome: own, ...reading }: GateReading): void {
    if (own.is !== 'passed') return;
    const until = also.findIndex(({ is }) => is !== 'passed');
    for (const [index, outcome] of also.slice(0, until < 0 ? also.length : until).entries()) {
      const step = next[index];
      if (step) this.#passed.set(step, { ...reading, outcome, readings: 1 });
    }
  }

  /** On the way back what is down is deleted whatever the quorum is. */
  #hadMargin(current: Step): boolean {
    const { steps } = this.#parts.record;
    const before = steps[steps.indexOf(current) - 1];
    return before?.state === 'done' && before.step.action.do === 'wait-for-gate' && before.step.action.gate === 'quorum-margin';
  }

  /** The gates about others that have passed since the last deletion, or since the beginning; none that somebody skipped. */
  #stillOf(current: Step, leaving: readonly string[]): NonNullable<PodDeletion['still']> {
    const { plan, record } = this.#parts;
    const before = record.steps.slice(0, record.steps.indexOf(current));
    const since = before.slice(before.findLastIndex(({ step, state }) => step.action.do === 'delete-pods' && state === 'done') + 1);
    // On the way back those whose turn is still to come may be what is broken.
    const later =
      current.way === 'forth'
        ? []
        : record.steps.flatMap(({ state, step: { action } }) => (state === 'planned' && action.do === 'delete-pods' ? action.members : []));
    return since.flatMap(({ state, way, step: { action } }): NonNullable<PodDeletion['still']>[number][] => {
      if (state !== 'done' || way !== current.way || action.do !== 'wait-for-gate') return [];
      const { gate, aim } = action;
      const others = action.members.filter((name) => !leaving.includes(name) && !later.includes(name));
      if (gate === 'members-online') return [{ call: { gate, members: others }, aim: plan.aims[aim] }];
      return gate === 'volumes-settled' && way === 'forth' ? [{ call: { gate, members: action.members }, aim: plan.aims[aim] }] : [];
    });
  }

  #ofRepository(): { readonly proposal?: Proposal } {
    return this.#merged ? { proposal: this.#merged } : {};
  }
}

/** Those at the beginning that one look decides: volumes have to stay settled, and are measured. */
function gatesAt(steps: readonly Step[]): Step[] {
  const end = steps.findIndex(({ step: { action } }) => action.do !== 'wait-for-gate' || action.gate === 'volumes-settled');
  return steps.slice(0, end < 0 ? steps.length : end);
}
