import { SCALE_QUERY, type ScaleInput, type ScaleReport, type ScaleRequest } from '../../libs/contracts/scalings.js';
import type { UpgradePhase } from '../../libs/contracts/upgrades.js';
import type { PlannedScale, ScalePlan } from '../../libs/domain/scale/plan.js';
import { RunRecord, type ShownPlans } from '../cluster/run-record.js';

export type ScaleRecord = RunRecord<ScalePlan, ScaleRequest>;

/** To be made before the workflow's first await. */
export function recordOf({ cluster, operationId, requestedBy, replicas, volumes, lost }: ScaleInput): ScaleRecord {
  return new RunRecord({
    cluster,
    operationId,
    requestedBy,
    request: { replicas, ...(volumes ? { volumes } : {}), ...(lost ? { lost } : {}) },
    wanted: replicas === 1 ? '1 member' : `${replicas} members`,
    query: SCALE_QUERY,
    planLines: ({ from, to, coming, going, warnings }) => [
      `From ${from} to ${to}. ${coming.length > 0 ? `Coming: ${coming.join(', ')}.` : `Going: ${going.join(', ')}.`}`,
      '',
      ...warnings.map(({ text }) => `- warning: ${text}`),
    ],
    imageName: (image) => image,
  });
}

export function shownOf(planned: PlannedScale): ShownPlans<ScalePlan> {
  return { plans: planned.is === 'plan' ? [planned.plan] : [], refusals: planned.is === 'refused' ? planned.refusals : [] };
}

const ENDINGS: Partial<Readonly<Record<UpgradePhase, string>>> = {
  finished: 'The cluster has as many members as were asked for, and all of them serve.',
  'went-back': 'What was on its way in or out went back; all members that are left serve.',
  planned: 'Only planned; nothing was changed.',
  'nothing-to-do': 'Nothing had to be done.',
  refused: 'It cannot be done from here; nothing was changed.',
};

/** The record as it is at the end. */
export function reportOf(record: ScaleRecord, ending?: string): ScaleReport {
  const { phase, approved } = record;
  const view = record.view();
  const named = (state: string) => view.steps.filter((one) => one.state === state).map(({ step }) => step.id);
  const skipped = named('skipped');
  const undone = named('failed');
  const summary = [
    ...(approved ? [`${approved.cluster} from ${approved.from} to ${approved.to} members.`] : []),
    ending ?? ENDINGS[phase] ?? '',
    ...(undone.length > 0 ? [`Did not succeed: ${undone.join(', ')}.`] : []),
    ...(skipped.length > 0 ? [`Skipped by an operator: ${skipped.join(', ')}.`] : []),
  ].join(' ');
  return { ...view, summary };
}
