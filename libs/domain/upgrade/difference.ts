import { actionText } from './actions.js';
import { canonicalJson, type Essence, essenceOf } from './essence.js';
import type { UpgradePlan } from './plan.js';
import { buildText, listed, secondsText, sortedByName, versionsText } from './wording.js';

type Sentences = (approved: UpgradePlan, fresh: UpgradePlan) => readonly string[];

/** One or more sentences for each part of the essence that may differ. */
const SENTENCES: Readonly<Record<keyof Essence, Sentences>> = {
  cluster: changed('The cluster', ({ cluster }) => cluster),
  statefulSet: changed('The StatefulSet', ({ statefulSet }) => statefulSet),
  kind: (a, b) => [`The plan is ${b.kind} now, not ${a.kind}: ${b.why}`],
  before: changed('What the members run', ({ before }) => `${buildText(before.build)} (${versionsText(before.versions)})`),
  target: changed(
    'The target',
    ({ target }) => `${buildText(target.build)} (LXD ${target.serverVersion}, ${target.digest}, ${versionsText(target.versions)})`,
  ),
  members: (a, b) => memberSentences(a, b),
  leader: changed('The leader of dqlite', ({ found }) => found.leader ?? 'nobody'),
  podManagementPolicy: changed('podManagementPolicy', ({ found }) => found.podManagementPolicy),
  updateStrategy: changed('The update strategy', ({ found }) => strategyText(found.updateStrategy)),
  order: changed('The order', ({ replaced }) =>
    replaced.map(({ member, pod, node }) => `${member} (${pod} on ${node ?? 'no node'})`).join(', '),
  ),
  kept: changed('Kept as they are', ({ kept }) => listed(kept.map(({ member }) => member)) || 'none'),
  secondPass: changed('The second pass', ({ secondPass }) => secondPass.join(', ') || 'none'),
  quorum: changed('Quorum', ({ quorum }) => quorum),
  probes: changed('Probes', ({ probes, aims }) => `by ${probes}: ${listed(aims.target.probes) || 'none'}`),
  instances: changed('What happens to the instances', ({ instances }) => instances),
  outage: (a, b) => outageSentences(a, b),
  warnings: (a, b) => [...added(a, b, texts).map((text) => `New: ${text}`), ...added(b, a, texts).map((text) => `No longer: ${text}`)],
  failedGates: (a, b) => [
    ...added(a, b, failedTexts).map((text) => `Fails now: ${text}`),
    ...added(b, a, failedTexts).map((text) => `No longer fails: ${text}`),
  ],
  pointOfNoReturn: changed('The point of no return', ({ pointOfNoReturn: point }) => point?.step ?? 'none'),
  nodes: changed(
    'The nodes with the data',
    ({ aims }) =>
      Object.entries(aims.target.nodes)
        .map(([member, node]) => `${member} on ${node}`)
        .join(', ') || 'unknown',
  ),
  stuckSeconds: changed('The time after which a rebuild is stuck', ({ aims }) => secondsText(aims.target.stuckSeconds)),
  steps: (a, b) => [
    ...added(a, b, stepTexts).map((text) => `New step: ${text}.`),
    ...added(b, a, stepTexts).map((text) => `No longer a step: ${text}.`),
  ],
};

/** How a new plan differs from the approved one, in sentences. None exactly when both have the same hash. */
export function differences(approved: UpgradePlan, fresh: UpgradePlan): string[] {
  const before = essenceOf(approved);
  const after = essenceOf(fresh);
  return (Object.keys(SENTENCES) as (keyof Essence)[]).flatMap((part) => {
    if (canonicalJson([before[part]]) === canonicalJson([after[part]])) return [];
    const sentences = SENTENCES[part](approved, fresh);
    return sentences.length > 0 ? sentences : [`Something about the ${part} is another.`];
  });
}

function changed(what: string, textOf: (plan: UpgradePlan) => string): Sentences {
  return (approved, fresh) => (textOf(approved) === textOf(fresh) ? [] : [`${what}: ${textOf(fresh)} now, ${textOf(approved)} before.`]);
}

function added(from: UpgradePlan, to: UpgradePlan, textsOf: (plan: UpgradePlan) => readonly string[]): string[] {
  const known = new Set(textsOf(from));
  return textsOf(to).filter((text) => !known.has(text));
}

function texts({ warnings }: UpgradePlan): string[] {
  return warnings.map(({ text }) => text);
}

function failedTexts({ preflight }: UpgradePlan): string[] {
  return preflight.flatMap(({ call, outcome }) => (outcome.is === 'failed' ? [`${call.gate}: ${outcome.reason}`] : []));
}

function stepTexts({ steps }: UpgradePlan): string[] {
  return steps.map(({ action }) => actionText(action));
}

function strategyText(strategy: UpgradePlan['found']['updateStrategy']): string {
  return strategy.type === 'OnDelete' ? 'OnDelete' : `RollingUpdate from ordinal ${strategy.partition}`;
}

function memberSentences(approved: UpgradePlan, fresh: UpgradePlan): string[] {
  const textOf = ({ found }: UpgradePlan) =>
    new Map(
      found.members.map(({ name, status, architecture, database, versions }) => [
        name,
        `${status}, ${architecture}, ${database}, ${versionsText(versions)}`,
      ]),
    );
  const [before, after] = [textOf(approved), textOf(fresh)];
  return sortedByName([...new Set([...before.keys(), ...after.keys()])], (name) => name).flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === is) return [];
    if (is === undefined) return [`${name} is no member any more.`];
    return was === undefined ? [`${name} is a new member (${is}).`] : [`${name}: ${is} now, ${was} before.`];
  });
}

function outageSentences(approved: UpgradePlan, fresh: UpgradePlan): string[] {
  const api = changed("Expected outage of LXD's API", ({ outage }) => `${secondsText(outage.api.seconds)} (${outage.api.derivation})`);
  const names = fresh.outage.members.map(({ member }) => member);
  const members = names.flatMap((name) => {
    const textOf = ({ outage }: UpgradePlan) => {
      const found = outage.members.find(({ member }) => member === name);
      return found ? `${secondsText(found.seconds)} (${found.derivation})` : 'none';
    };
    return changed(`Expected outage on ${name}`, textOf)(approved, fresh);
  });
  return [...api(approved, fresh), ...members];
}
