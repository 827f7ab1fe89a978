import type { PlannedScale, ScalePlan } from './plan.js';

/** Why what would be planned now is not what was approved, a sentence for each reason; never none. */
export function differences(approved: ScalePlan, planned: PlannedScale): string[] {
  if (planned.is === 'nothing-to-do') return [planned.because];
  if (planned.is === 'refused') return planned.refusals.map(({ reason }) => reason);
  const { from, steps, warnings } = planned.plan;
  const codes = (plan: Pick<ScalePlan, 'warnings'>) => plan.warnings.map(({ code }) => code);
  const news = warnings.filter(({ code }) => !codes(approved).includes(code)).map(({ text }) => text);
  const gone = codes(approved).filter((code) => !codes({ warnings }).includes(code));
  const told = [
    ...(from === approved.from ? [] : [`There are ${from} members, not ${approved.from}.`]),
    ...news,
    ...(gone.length === 0 ? [] : [`No longer so: ${gone.join(', ')}.`]),
    ...(steps.length === approved.steps.length ? [] : [`There are ${steps.length} steps, not ${approved.steps.length}.`]),
  ];
  if (told.length > 0) return told;
  const other = steps.find(({ text }, at) => text !== approved.steps[at]?.text);
  return [other ? `Step ${other.id} is another one: ${other.text}.` : 'What is done is not the same any more.'];
}
