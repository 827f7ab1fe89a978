import { actionText } from './actions.js';
import type { Build, ProbeKind } from './observed.js';
import type { UpgradePlan } from './plan.js';
import { buildText, listed, sameBuild, secondsText, versionsText } from './wording.js';

/** What a pull request of a plan is for. */
export type TemplateChangeKind = 'image' | 'image-without-probes' | 'probes-back' | 'way-back';

/** Which of a plan's template steps this is: a plan whose probes go by the template has two on its way forth. */
export function templateChangeKind(
  plan: UpgradePlan,
  { build, probes }: { readonly build: Build; readonly probes: readonly ProbeKind[] },
): TemplateChangeKind {
  if (!sameBuild(build, plan.target.build)) return 'way-back';
  if (plan.aims.target.probes.length > 0 && probes.length === 0) return 'image-without-probes';
  return plan.steps.some(({ action }) => action.do === 'patch-template' && action.probes.length === 0) ? 'probes-back' : 'image';
}

export interface PullRequestText {
  readonly title: string;
  /** Markdown. */
  readonly body: string;
}

/** The plan for whoever reviews the pull request: what it changes, why, what the platform does after it, and what not to do meanwhile. */
export function pullRequestText(plan: UpgradePlan, kind: TemplateChangeKind): PullRequestText {
  const { cluster, before, target } = plan;
  const [title, what] = HEADS[kind](plan);
  const body = [
    what,
    '',
    `| | before | wanted |`,
    '| --- | --- | --- |',
    row('image', code(before.build.image), code(target.build.image)),
    row('variables', variables(before.build), variables(target.build)),
    row('LXD', versionsText(before.versions), `${versionsText(target.versions)} (${target.serverVersion})`),
    '',
    `**${plan.kind}**: ${plan.why}`,
    '',
    `Order: ${listed(plan.replaced.map(({ member }) => member)) || 'nobody'}. LXD's API is expected to be away for ${secondsText(plan.outage.api.seconds)}.`,
    ...plan.warnings.map(({ text }) => `\n> ${text}`),
    '',
    '<details><summary>All steps</summary>',
    '',
    ...plan.steps.map(({ id, action, reason }) => `- ${code(id)} ${actionText(action)}: ${reason}`),
    '',
    '</details>',
    '',
    plan.wayBack,
    '',
    AFTERWARDS[kind],
    '',
    `Plan ${code(plan.hash)} of cluster ${cluster}.`,
  ].join('\n');
  return { title, body };
}

const HEADS: Readonly<Record<TemplateChangeKind, (plan: UpgradePlan) => readonly [string, string]>> = {
  image: ({ cluster, target }) => [
    `Upgrade ${cluster} to ${target.build.image}`,
    'Sets the image of the LXD members. No pod is replaced by the merge: the platform replaces them one after the other by the plan below.',
  ],
  'image-without-probes': ({ cluster, target }) => [
    `Upgrade ${cluster} to ${target.build.image}, probes off meanwhile`,
    'Sets the image of the LXD members and switches their probes off until all members agree. A second pull request brings the probes back.',
  ],
  'probes-back': ({ cluster }) => [
    `Probes of ${cluster} back on`,
    'All members run the wanted image and agree: their probes come back. Pods get them when the platform replaces them once more, one by one.',
  ],
  'way-back': ({ cluster, before }) => [
    `Bring ${cluster} back to ${before.build.image}`,
    'The upgrade was aborted: the old image and its probes come back. The platform then replaces the members that run the other one.',
  ],
};

const FOLLOWS =
  'After the merge the platform waits until the cluster shows it. Please leave these values alone until the upgrade has ended: a revert in the middle stops it.';
const AFTERWARDS: Readonly<Record<TemplateChangeKind, string>> = {
  image: FOLLOWS,
  'image-without-probes': `${FOLLOWS} Until the second pull request is merged a member that hangs is not restarted by itself.`,
  'probes-back': FOLLOWS,
  'way-back': FOLLOWS,
};

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

function variables(build: Build): string {
  return code(buildText({ ...build, image: '' }).replace(/^ with /, '')) || 'none';
}

/** Nothing in it is read as Markdown or as a mention of somebody. */
function code(text: string): string {
  return text === '' ? '' : `\`${text.replaceAll('`', "'")}\``;
}
