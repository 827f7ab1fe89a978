import type { UpgradePhase, UpgradeReport, UpgradeStepView } from '#libs/contracts/upgrades.js';
import type { UpgradePlan } from '#libs/domain/upgrade/plan.js';
import { buildText, counted, secondsText, versionsText } from '#libs/domain/upgrade/wording.js';
import { html, type Markup } from './html.js';
import { REPORT_STYLE } from './upgrade-report.style.js';

const PHASES: Readonly<Record<UpgradePhase, string>> = {
  planning: 'Is being planned',
  'awaiting-approval': 'Waits for an approval',
  running: 'Is under way',
  paused: 'Paused',
  'failed-step': 'A step failed: somebody has to decide',
  'going-back': 'On the way back',
  finished: 'Finished',
  'went-back': 'Went back: the old state is in place',
  planned: 'Planned; nothing was changed',
  'nothing-to-do': 'Nothing had to be done',
  refused: 'Refused: nothing was changed',
  ended: 'Ended before its end',
};
const GOOD: ReadonlySet<UpgradePhase> = new Set(['finished', 'planned', 'nothing-to-do']);
const BAD: ReadonlySet<UpgradePhase> = new Set(['failed-step', 'refused', 'ended', 'went-back']);

/** The report as one page that needs nothing else, for people and for paper. */
export function reportPage(report: UpgradeReport, id: string): string {
  const { cluster, phase, request } = report;
  const tone = GOOD.has(phase) ? 'good' : BAD.has(phase) ? 'bad' : 'open';
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Upgrade of ${cluster}: ${PHASES[phase]}</title>
${REPORT_STYLE}
</head>
<body>
<h1>Upgrade of ${cluster}</h1>
<p class="banner ${tone}"><strong>${PHASES[phase]}.</strong> ${report.summary}</p>
<table class="facts">
${fact('Wanted', buildText({ image: request.image, environment: request.environment ?? {} }))}
${fact('Began', `${at(report.startedAt)} UTC`)}
${fact('Ended', report.endedAt === undefined ? 'not ended yet' : `${at(report.endedAt)} UTC (${between(report.startedAt, report.endedAt)})`)}
${fact('Operation', id)}
</table>
${waiting(report)}
${concerns(report)}
${section('Who did what', people(report))}
${section('Members: expected and measured', members(report))}
${section('Plan', plans(report))}
${section('Steps and gates', steps(report.steps))}
${section('The members as last seen', table(report))}
</body>
</html>
`;
  return page.text;
}

function fact(name: string, value: string): Markup {
  return html`<tr><th>${name}</th><td>${value}</td></tr>`;
}

function section(title: string, body: Markup | undefined): Markup {
  return body ? html`<section><h2>${title}</h2>${body}</section>` : html``;
}

function waiting({ wait }: UpgradeReport): Markup {
  if (!wait) return html``;
  const progress = wait.progress === undefined ? '' : ` (${wait.progress})`;
  return html`<p class="banner open"><strong>Waits for ${wait.for}</strong>${progress}<br>since ${at(wait.since)} UTC, at most until
    ${at(wait.deadline)} UTC. What may be ordered now: ${wait.updates.map(({ name, who }) => `${name} (${who})`).join(', ')}.</p>`;
}

/** What a reader must not miss. */
function concerns({ steps: all, differences, notes = [], refusals, plans: shown }: UpgradeReport): Markup {
  const lines = [
    ...pointOfNoReturn(all, shown),
    ...refusals.map(({ reason, remedy }) => html`<li><strong>Refused:</strong> ${reason} ${remedy}</li>`),
    ...all
      .filter(({ state }) => state === 'failed')
      .map((step) => html`<li><strong>Failed:</strong> ${step.step.id}. ${evidence(step)}</li>`),
    ...all.filter(({ state }) => state === 'skipped').map(({ step }) => html`<li><strong>Skipped:</strong> ${step.id}; why is below.</li>`),
    ...differences.map((sentence) => html`<li><strong>Changed meanwhile:</strong> ${sentence}</li>`),
    ...notes.map((sentence) => html`<li><strong>Left to do:</strong> ${sentence}</li>`),
    ...(shown.length === 1 ? shown : []).flatMap(({ warnings }) =>
      warnings.map(({ text }) => html`<li><strong>Warning of the plan:</strong> ${text}</li>`),
    ),
    ...all
      .filter(({ step, result }) => step.action.do === 'save-copies' && result !== undefined)
      .map(({ result }) => html`<li><strong>Copies saved before the first change:</strong> ${result ?? ''}</li>`),
  ];
  return lines.length === 0 ? html`` : html`<section><h2>To be known</h2><ul>${lines}</ul></section>`;
}

function pointOfNoReturn(all: UpgradeReport['steps'], [plan, ...others]: readonly UpgradePlan[]): Markup[] {
  const point = plan?.pointOfNoReturn;
  if (!point || others.length > 0) return [];
  const step = all.find((one) => one.way === 'forth' && one.step.id === point.step);
  const passed = step?.startedAt === undefined ? 'still ahead' : `passed at ${at(step.startedAt)} UTC; an abort is refused since`;
  return [html`<li><strong>Point of no return, step ${point.step}:</strong> ${passed}.</li>`];
}

function people({ audit }: UpgradeReport): Markup {
  const rows = audit.map(
    ({ at: when, by, did, about }) =>
      html`<tr><td class="time">${at(when)}</td><td>${by.username}</td><td>${did}</td><td>${about}</td></tr>`,
  );
  return html`<table class="audit"><thead><tr><th>when (UTC)</th><th>who</th><th>did</th><th>what, and why</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function members({ members: all, api, plans: shown }: UpgradeReport): Markup | undefined {
  if (all.length === 0 && !api) return undefined;
  const derivations = shown.length === 1 ? (shown[0]?.outage.members ?? []) : [];
  const rows = all.map(({ member, away, expectedSeconds, write }) => {
    const times = away.map(({ from, until, seconds }) =>
      until === undefined || seconds === undefined
        ? html`<div>from ${at(from)}, <strong>not seen to serve again</strong></div>`
        : html`<div>${secondsText(seconds)} <span class="dim">(${at(from)} to ${at(until).slice(from.slice(0, 10) === until.slice(0, 10) ? 11 : 0)})</span></div>`,
    );
    const why = derivations.find((one) => one.member === member)?.derivation ?? '';
    return html`<tr><td>${member}</td><td>${seconds(expectedSeconds)}<div class="dim">${why}</div></td><td>${times}</td><td>${writes(write)}</td></tr>`;
  });
  const apiRow = api
    ? [
        html`<tr><td>LXD's API</td><td>${seconds(api.expectedSeconds)}</td><td>${api.seconds === undefined ? html`<strong>not seen to answer again</strong>` : secondsText(api.seconds)}</td><td></td></tr>`,
      ]
    : [];
  return html`<table><thead><tr><th>member</th><th>expected (its instances)</th><th>measured (pod deleted until it served)</th><th>a write to its volume took</th></tr></thead>
    <tbody>${rows}${apiRow}</tbody></table>`;
}

function writes(write: UpgradeReport['members'][number]['write']): string {
  if (!write) return 'not measured';
  const text = (ms: number | undefined) => (ms === undefined ? 'not measured' : `${ms} ms`);
  return `${text(write.beforeMs)} before, ${text(write.afterMs)} after`;
}

function plans({ plans: shown, approvedHash }: UpgradeReport): Markup | undefined {
  if (shown.length === 0) return undefined;
  return html`${shown.map((plan) => planOf(plan, plan.hash === approvedHash ? 'approved' : 'not approved'))}`;
}

function planOf(plan: UpgradePlan, approval: string): Markup {
  const { before, target, outage, pointOfNoReturn, preflight } = plan;
  return html`<h3>${plan.kind} <span class="dim">(${approval})</span></h3>
<p>${plan.why}</p>
<table class="facts">
${fact('Hash', plan.hash)}
${fact('Before', `${buildText(before.build)} (${versionsText(before.versions)})`)}
${fact('Target', `${buildText(target.build)} (${versionsText(target.versions)}, LXD ${target.serverVersion})`)}
${fact('Digest', target.digest)}
${fact('Order', plan.replaced.map(({ member }) => member).join(', ') || 'none is replaced')}
${fact('Second pass', plan.secondPass.join(', ') || 'none')}
${fact('Quorum', plan.quorum)}
${fact('Probes', plan.probes)}
${fact("LXD's API away", `${secondsText(outage.api.seconds)}: ${outage.api.derivation}`)}
${fact('Point of no return', pointOfNoReturn ? `step ${pointOfNoReturn.step}: ${pointOfNoReturn.reason}` : 'none')}
${fact('Way back', plan.wayBack)}
<tr><th>When it was planned</th><td>${preflight.map(({ call, outcome }) => html`<div><strong>${call.gate}</strong>: ${said(outcome)}</div>`)}</td></tr>
</table>`;
}

function steps(all: readonly UpgradeStepView[]): Markup | undefined {
  if (all.length === 0) return undefined;
  const rows = all.map((view) => {
    const { step, text, state, way, startedAt, endedAt, readings } = view;
    const took = startedAt === undefined || endedAt === undefined ? '' : between(startedAt, endedAt);
    const looked = readings === undefined ? '' : `looked ${counted(readings, 'time')}`;
    return html`<tr class="${state}"><td class="state">${state}</td><td><strong>${way === 'back' ? 'back: ' : ''}${step.id}</strong>
<div>${text}</div><div class="dim">${step.reason}</div></td>
<td class="time">${startedAt === undefined ? '' : at(startedAt)}<div class="dim">${[took, looked].filter((part) => part !== '').join(', ')}</div></td><td>${evidence(view)}</td></tr>`;
  });
  return html`<table class="steps"><thead><tr><th>state</th><th>step</th><th>begun (UTC), took</th><th>evidence</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function evidence({ outcome, error, result }: UpgradeStepView): Markup {
  const parts = [
    ...(outcome ? [html`<div>${said(outcome)}</div>`] : []),
    ...(error ? [html`<div><strong>${error.code}</strong>: ${error.message}</div>`] : []),
    ...(result === undefined ? [] : [html`<div>${result}</div>`]),
  ];
  return html`${parts}`;
}

function said(outcome: NonNullable<UpgradeStepView['outcome']>): string {
  if (outcome.is === 'passed') return outcome.because;
  if (outcome.is === 'failed') return `${outcome.reason} ${outcome.remedy}`;
  return `${outcome.reason}${outcome.progress === undefined ? '' : ` (${outcome.progress})`}`;
}

function table({ table: rows }: UpgradeReport): Markup | undefined {
  if (rows.length === 0) return undefined;
  const cells = rows.map(
    (row) => html`<tr><td>${row.member}<div class="dim">${row.database}</div></td><td>${row.status}, ${row.answers}
<div class="dim">${row.versions}</div></td><td>${row.pod} on ${row.node}<div class="dim">${row.image}</div></td>
<td>${row.probes.join(', ') || html`<strong>none</strong>`}</td><td>${row.volumes}</td></tr>`,
  );
  return html`<table class="members"><thead><tr><th>member, database</th><th>state, versions</th><th>pod, image</th><th>probes</th>
<th>volumes</th></tr></thead><tbody>${cells}</tbody></table>`;
}

function seconds(value: number | undefined): string {
  return value === undefined ? '' : secondsText(value);
}

/** `2026-01-02 03:04:05` */
function at(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}

function between(from: string, until: string): string {
  return secondsText((Date.parse(until) - Date.parse(from)) / 1000);
}
