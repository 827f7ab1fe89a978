import type { UpgradePhase, UpgradeReport } from '../../libs/contracts/upgrades.js';
import type { UpgradeRecord } from './upgrade-record.js';

const ENDINGS: Partial<Readonly<Record<UpgradePhase, string>>> = {
  finished: 'All members run the new image, serve, agree, and have their probes.',
  'went-back': 'The old state is back: all members serve and agree, and have their probes.',
  planned: 'Only planned; nothing was changed.',
  'nothing-to-do': 'Nothing had to be done.',
  refused: 'There is no way to this image from here; nothing was changed.',
};

/** The record as it is at the end, with how long members were away beside what the plan expected. */
export function reportOf(record: UpgradeRecord, ending?: string): UpgradeReport {
  const view = record.view();
  const plan = record.approved;
  const members = [...record.absences.all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([member, times]) => {
      const expected = plan?.outage.members.find((one) => one.member === member)?.seconds;
      const write = writeOf(record, member, times[0]?.from);
      return {
        member,
        away: times.map(({ from, until }) => ({ from, ...(until === undefined ? {} : { until, seconds: secondsBetween(from, until) }) })),
        ...(expected === undefined ? {} : { expectedSeconds: expected }),
        ...(write ? { write } : {}),
      };
    });
  const api = plan && plan.kind !== 'rolling' ? { api: apiOutage(record, plan.outage.api.seconds) } : {};
  return { ...view, members, ...api, summary: summaryOf(record, ending) };
}

/** The last one measured before the member was replaced first, and the last of all. */
function writeOf({ steps }: UpgradeRecord, member: string, replacedAt: string | undefined): UpgradeReport['members'][number]['write'] {
  const measured = steps.flatMap(({ writes, endedAt }) =>
    (writes ?? []).flatMap((one) =>
      one.member === member && one.milliseconds !== undefined && endedAt !== undefined ? [{ ms: one.milliseconds, at: endedAt }] : [],
    ),
  );
  const before = measured.filter(({ at }) => replacedAt === undefined || at <= replacedAt).at(-1);
  const after = measured.filter(({ at }) => replacedAt !== undefined && at > replacedAt).at(-1);
  if (!before && !after) return undefined;
  return { ...(before ? { beforeMs: before.ms } : {}), ...(after ? { afterMs: after.ms } : {}) };
}

/**
 * In lockstep a list over members hangs while one of them waits: until the last one served. A member that is away alone afterwards, in the second
 * pass, leaves the others to answer.
 */
function apiOutage({ absences }: UpgradeRecord, expectedSeconds: number) {
  const waves: { readonly fromMs: number; untilMs: number; readonly members: Set<string> }[] = [];
  const times = [...absences.all].flatMap(([member, all]) => all.map(({ from, until }) => ({ member, fromMs: Date.parse(from), until })));
  for (const { member, fromMs, until } of times.sort((a, b) => a.fromMs - b.fromMs)) {
    if (until === undefined) return { expectedSeconds };
    const untilMs = Date.parse(until);
    const last = waves.at(-1);
    if (last && fromMs <= last.untilMs) {
      last.untilMs = Math.max(untilMs, last.untilMs);
      last.members.add(member);
    } else waves.push({ fromMs, untilMs, members: new Set([member]) });
  }
  const outages = waves.filter(({ members }, index) => index === 0 || members.size > 1);
  if (outages.length === 0) return { expectedSeconds };
  return { expectedSeconds, seconds: outages.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0) / 1000 };
}

function summaryOf(record: UpgradeRecord, ending: string | undefined): string {
  const { phase, steps, approved } = record;
  const skipped = steps.filter(({ state }) => state === 'skipped').map(({ step }) => step.id);
  const undone = steps.filter(({ state, way }) => state === 'failed' && way === 'forth').map(({ step }) => step.id);
  return [
    ...(approved ? [`${approved.kind} of ${approved.cluster} from ${approved.before.build.image} to ${approved.target.build.image}.`] : []),
    ending ?? ENDINGS[phase] ?? '',
    ...(undone.length > 0 ? [`Did not succeed: ${undone.join(', ')}.`] : []),
    ...(skipped.length > 0 ? [`Skipped by an operator: ${skipped.join(', ')}.`] : []),
  ].join(' ');
}

function secondsBetween(from: string, until: string): number {
  return (Date.parse(until) - Date.parse(from)) / 1000;
}
