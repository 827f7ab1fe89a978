import type { StepProgress } from '../../libs/contracts/progress.js';
import type { MemberRow, RunPlan, RunStepView, RunView } from '../../libs/contracts/upgrades.js';
import type { Recorded } from './run-record.js';

/** Temporal refuses details that are longer than what it takes for a memo. */
const MAX_LENGTH = 20_000;
const MARKS: Readonly<Record<RunStepView['state'], string>> = {
  planned: '·',
  running: '…',
  done: '✓',
  failed: '✗',
  skipped: '»',
  'not-needed': '–',
};

/** What Temporal UI shows: how it stands, whom it waits for and what to send, the members, the steps. Markdown. */
export function detailsOf<P extends RunPlan, R>(of: Recorded<P, R>, view: RunView<P, R>, others: readonly StepProgress[]): string {
  const text = [
    `**${view.cluster}** to ${of.wanted}: **${view.phase}**${isOnWayBack(view) ? ', on the way back' : ''}`,
    ...waitLines(view),
    ...view.differences.map((sentence) => `- changed: ${sentence}`),
    ...(view.notes ?? []).map((sentence) => `- left to do: ${sentence}`),
    ...view.refusals.map(({ reason, remedy }) => `- refused: ${reason} ${remedy}`),
    ...view.plans.flatMap((plan) => [
      '',
      `Plan **${plan.kind}** ${plan.hash === view.approvedHash ? '(approved)' : ''} \`${plan.hash}\``,
      ...of.planLines(plan),
    ]),
    ...tableLines(view.table, (image) => of.imageName(image, view.plans[0])),
    '',
    ...others.map(
      ({ name, summary, state, error }) =>
        `- ${state === 'done' ? '✓' : state === 'failed' ? '✗' : '…'} **${name}** ${summary}${errorText(error)}`,
    ),
    ...view.steps.map(stepLine),
  ].join('\n');
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 2)}\n…`;
}

/** Its phase says so only as long as nothing hinders it. */
function isOnWayBack({ phase, steps }: RunView<RunPlan, unknown>): boolean {
  return phase === 'failed-step' && steps.some(({ way }) => way === 'back');
}

function waitLines({ wait }: Pick<RunView<RunPlan, unknown>, 'wait'>): string[] {
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

/** Narrow: Temporal UI gives it half a page, and cuts off what cannot be broken into lines. The whole of it is in the API and the report. */
function tableLines(table: readonly MemberRow[], imageName: (image: string) => string): string[] {
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
      return `| **${row.member}** ${row.database} | ${state} |${own} ${row.pod} on ${row.node} | ${imageName(row.image)} | ${probes} | ${row.volumes || '–'} |`;
    }),
  ];
}

const PROBES = { startup: 'start', liveness: 'live', readiness: 'ready' } as const;

function stepLine({ step, text, state, way, outcome, error, result }: RunStepView): string {
  const said = outcome === undefined || state === 'planned' ? '' : ` – ${outcome.is === 'passed' ? outcome.because : outcome.reason}`;
  const remedy = outcome?.is === 'failed' && state === 'failed' ? ` **What to do**: ${outcome.remedy}` : '';
  return `- ${MARKS[state]} ${way === 'back' ? 'back ' : ''}**${step.id}** ${text}${said}${remedy}${errorText(error)}${result === undefined ? '' : ` → ${result}`}`;
}

function errorText(error: { readonly code: string; readonly message: string } | undefined): string {
  return error === undefined ? '' : ` **${error.code}**: ${error.message}`;
}
