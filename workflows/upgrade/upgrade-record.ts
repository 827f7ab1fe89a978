import { UPGRADE_QUERY, type UpgradeInput, type UpgradeRequest } from '../../libs/contracts/upgrades.js';
import type { Build } from '../../libs/domain/upgrade/observed.js';
import type { Planned, UpgradePlan } from '../../libs/domain/upgrade/plan.js';
import { RunRecord, type ShownPlans } from '../cluster/run-record.js';

export type UpgradeRecord = RunRecord<UpgradePlan, UpgradeRequest>;

/** To be made before the workflow's first await. */
export function recordOf(input: UpgradeInput): UpgradeRecord {
  const { cluster, operationId, requestedBy, image, environment, instances } = input;
  return new RunRecord({
    cluster,
    operationId,
    requestedBy,
    request: { image, ...(environment ? { environment } : {}), ...(instances ? { instances } : {}) },
    wanted: image,
    query: UPGRADE_QUERY,
    planLines,
    imageName,
  });
}

export function shownOf(planned: Planned): ShownPlans<UpgradePlan> {
  return { plans: planned.is === 'plans' ? planned.plans : [], refusals: planned.is === 'refused' ? planned.refusals : [] };
}

function planLines(plan: UpgradePlan): string[] {
  return [
    plan.why,
    `Replaced in this order: ${plan.replaced.map(({ member }) => member).join(', ')}. Quorum: ${plan.quorum}.`,
    `LXD's API is expected to be away for ${Math.round(plan.outage.api.seconds)} s: ${plan.outage.api.derivation}.`,
    plan.pointOfNoReturn
      ? `**Point of no return**: step ${plan.pointOfNoReturn.step}, since ${plan.pointOfNoReturn.reason}.`
      : 'No point of no return.',
    '',
    ...plan.warnings.map(({ text }) => `- warning: ${text}`),
  ];
}

function imageName(image: string, plan: UpgradePlan | undefined): string {
  if (plan && names(image, plan.target.build)) return 'the **new** image';
  return plan && names(image, plan.before.build) ? 'the old image' : image;
}

/** Whether a row of the table means that build: the image, and every variable that counts. */
function names(text: string, { image, environment }: Build): boolean {
  const variables = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  if (variables.length === 0) return text === image;
  return text.startsWith(`${image} with `) && variables.every((variable) => text.includes(variable));
}
