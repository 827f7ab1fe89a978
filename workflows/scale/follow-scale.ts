import type { Acting } from '../../libs/contracts/activities.js';
import type { ScaleRequest } from '../../libs/contracts/scalings.js';
import type { OfPlan } from '../../libs/contracts/upgrade-activities.js';
import type { ScaleGateCall } from '../../libs/domain/scale/gates.js';
import type { ScalePlan } from '../../libs/domain/scale/plan.js';
import type { ScaleAction, ScaleStep } from '../../libs/domain/scale/steps.js';
import { type Done, type Following, FollowPlan, summaryOf } from '../cluster/follow-plan.js';
import type { StepRecord } from '../cluster/run-record.js';
import { longUpgradeStep } from '../upgrade/activities.js';
import { scaleStep, watchingScale } from './activities.js';

export interface FollowingScale extends Following<ScalePlan, ScaleRequest> {
  readonly acting: Acting;
  readonly stuckSeconds: number;
}

/** What only looks, or saves: a scaling that did no more has changed nothing. */
const HARMLESS: ReadonlySet<ScaleAction['do']> = new Set(['wait-for-gate', 'save-copies']);

/** Follows the steps of a scaling. */
export class FollowScale extends FollowPlan<ScalePlan, ScaleRequest> {
  readonly #parts: FollowingScale;
  readonly #of: OfPlan;

  constructor(parts: FollowingScale) {
    super(parts, HARMLESS);
    this.#parts = parts;
    const { cluster, hash, kind } = parts.plan;
    this.#of = { cluster, hash, kind };
  }

  /** What passed about the others since the last change of the number; none that somebody skipped. */
  #stillOf(current: StepRecord<ScaleStep>): ScaleGateCall[] {
    const { steps } = this.#parts.record;
    const before = steps.slice(0, steps.indexOf(current));
    const since = before.slice(before.findLastIndex(({ step: { action } }) => action.do === 'set-replicas') + 1);
    return since.flatMap(({ state, way, step: { action } }) => {
      if (state !== 'done' || way !== 'forth' || current.way !== 'forth' || action.do !== 'wait-for-gate') return [];
      return action.gate === 'quorum-margin' && action.members.length > 0 ? [{ gate: action.gate, members: action.members }] : [];
    });
  }

  protected override async run(current: StepRecord<ScaleStep>): Promise<Done> {
    const { acting, plan, stuckSeconds } = this.#parts;
    const of = this.#of;
    const { action } = current.step;
    const text = summaryOf(current);
    const { lost } = plan;
    switch (action.do) {
      case 'wait-for-gate': {
        const { gate, members, deadlineSeconds, settleSeconds } = action;
        return this.watch(deadlineSeconds, (watch) =>
          watchingScale(deadlineSeconds * 1000)(text).watchScaleGate(acting, plan.cluster, {
            ...watch,
            call: { gate, members },
            settleSeconds,
            stuckSeconds,
          }),
        );
      }
      case 'save-copies': {
        const { place, files } = await this.orStop(() => longUpgradeStep(text).saveCopies(acting, of, action.members));
        return { result: `${files.length} files in ${place}` };
      }
      case 'set-replicas':
        return this.plain(() =>
          scaleStep(text).setReplicas(acting, of, { replicas: action.replicas, lost, still: this.#stillOf(current) }),
        );
      case 'evacuate-member':
        return this.plain(() => longUpgradeStep(text).evacuateMember(acting, of, action.member));
      case 'restore-member':
        return this.plain(() => longUpgradeStep(text).restoreMember(acting, of, action.member));
      case 'remove-member':
        return this.plain(() => scaleStep(text).removeMember(acting, of, { member: action.member, lost }));
      case 'delete-claims':
        return this.plain(() => scaleStep(text).deleteClaims(acting, of, { member: action.member, claims: action.claims }));
    }
  }
}
