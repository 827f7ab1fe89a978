import type { StepProgress } from '../../libs/contracts/operations.js';
import type { MemberRow, UpgradeStepView, UpgradeView } from '../../libs/contracts/upgrades.js';
import type { Build } from '../../libs/domain/upgrade/observed.js';
import type { UpgradePlan } from '../../libs/domain/upgrade/plan.js';

/** Temporal refuses details that are longer than what it takes for a memo. */
const MAX_LENGTH = 20_000;
const MARKS: Readonly<Record<UpgradeStepView['state'], string>> = {
  planned: '·',
  running: '…',
  done: '✓',
  failed: '✗',
  skipped: '»',
  'not-needed': '–',
};

/** What Temporal UI shows of an upgrade: how it stands, whom it waits for and what to send, the members, the steps. Markdown. */
export function detailsOf(view: UpgradeView, others: readonly StepProgress[]): string {
  const text = [
    `**${view.cluster}** to ${view.request.image}: **${view.phase}**`,
    ...waitLines(view),
    ...view.differences.map((sentence) => `- changed: ${sentence}`),
    ...view.refusals.map(({ reason, remedy }) => `- refused: ${reason} ${remedy}`),
    ...planLines(view),
    ...tableLines(view),
    '',
    ...others.map(
      ({ name, summary, state, error }) =>
        `- ${state === 'done' ? '✓' : state === 'failed' ? '✗' : '…'} **${name}** ${summary}${errorText(error)}`,
    ),
    ...view.steps.map(stepLine),
  ].join('\n');
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 2)}\n…`;
}

function waitLines({ wait }: UpgradeView): string[] {
  if (!wait) return [];
  const progress = wait.progress === undefined ? '' : ` (${wait.progress})`;
  return [
    '',
    `Waits for: ${wait.for}${progress}`,
    `since ${wait.since.slice(0, 19)}Z, at most until ${wait.deadline.slice(0, 19)}Z`,
    '',
    ...wait.updates.map(({ name, argument, who }) => `- Update \`${name}\` with \`${argument}\` (${who})`),
  ];
}

function planLines({ plans, approvedHash }: UpgradeView): string[] {
  return plans.flatMap((plan) => [
    '',
    `Plan **${plan.kind}** ${plan.hash === approvedHash ? '(approved)' : ''} \`${plan.hash}\``,
    plan.why,
    `Replaced in this order: ${plan.replaced.map(({ member }) => member).join(', ')}. Quorum: ${plan.quorum}.`,
    `LXD's API is expected to be away for ${Math.round(plan.outage.api.seconds)} s: ${plan.outage.api.derivation}.`,
    plan.pointOfNoReturn
      ? `**Point of no return**: step ${plan.pointOfNoReturn.step}, since ${plan.pointOfNoReturn.reason}.`
      : 'No point of no return.',
    '',
    ...plan.warnings.map(({ text }) => `- warning: ${text}`),
  ]);
}

/** Narrow: Temporal UI gives it half a page, and cuts off what cannot be broken into lines. The whole of it is in the API and the report. */
function tableLines({ table, plans }: UpgradeView): string[] {
  if (table.length === 0) return [];
  const versions = [...new Set(table.map((row) => row.versions))];
  return [
    '',
    versions.length === 1 ? `All members have ${versions.join()}.` : '**The versions of the members differ.**',
    '',
    `| member | state |${versions.length === 1 ? '' : ' versions |'} pod | runs | probes | volumes |`,
    `| --- | --- |${versions.length === 1 ? '' : ' --- |'} --- | --- | --- | --- |`,
    ...table.map((row) => {
      const state = `${row.status.split(':')[0]}, ${row.answers}`;
      const own = versions.length === 1 ? '' : ` ${row.versions} |`;
      const probes = row.probes.map((probe) => PROBES[probe]).join(' ') || '**none**';
      return `| **${row.member}** ${row.database} | ${state} |${own} ${row.pod} on ${row.node} | ${runs(row, plans[0])} | ${probes} | ${row.volumes || '–'} |`;
    }),
  ];
}

const PROBES = { startup: 'start', liveness: 'live', readiness: 'ready' } as const;

function runs({ image }: MemberRow, plan: UpgradePlan | undefined): string {
  if (plan && names(image, plan.target.build)) return 'the **new** image';
  return plan && names(image, plan.before.build) ? 'the old image' : image;
}

/** Whether a row of the table means that build: the image, and every variable that counts. */
function names(text: string, { image, environment }: Build): boolean {
  const variables = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  if (variables.length === 0) return text === image;
  return text.startsWith(`${image} with `) && variables.every((variable) => text.includes(variable));
}

function stepLine({ step, text, state, way, outcome, error, result }: UpgradeStepView): string {
  const said = outcome === undefined || state === 'planned' ? '' : ` – ${outcome.is === 'passed' ? outcome.because : outcome.reason}`;
  const remedy = outcome?.is === 'failed' && state === 'failed' ? ` **What to do**: ${outcome.remedy}` : '';
  return `- ${MARKS[state]} ${way === 'back' ? 'back ' : ''}**${step.id}** ${text}${said}${remedy}${errorText(error)}${result === undefined ? '' : ` → ${result}`}`;
}

function errorText(error: { readonly code: string; readonly message: string } | undefined): string {
  return error === undefined ? '' : ` **${error.code}**: ${error.message}`;
}
