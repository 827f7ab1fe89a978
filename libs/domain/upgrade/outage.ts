import type { Timings } from './desired.js';
import { byName, secondsText } from './wording.js';

/** An expected outage and how it comes to this number. */
export interface Outage {
  readonly seconds: number;
  readonly derivation: string;
}

export interface ExpectedOutage {
  /** Of the instances on each member. */
  readonly members: readonly (Outage & { readonly member: string })[];
  /** Of LXD's API. Rolling: no majority or no leader. Lockstep: from the first deletion until every member answers, since lists over members hang. */
  readonly api: Outage;
}

export interface OutageInput {
  readonly kind: 'rolling' | 'lockstep-sequential' | 'lockstep-parallel';
  /** In the order in which they are replaced. */
  readonly replaced: readonly string[];
  readonly others: readonly string[];
  /** Replaced a second time, one by one, to get their probes back. */
  readonly secondPass: readonly string[];
  readonly evacuated: readonly string[];
  readonly leader?: string;
  /** Voters without which there is no majority: the database is away with any of them. */
  readonly irreplaceable: readonly string[];
  readonly instances: 'stop' | 'evacuate';
  /** `one-by-one` where Kubernetes makes a pod only when the one before is ready. */
  readonly creation: 'together' | 'one-by-one';
  readonly timings: Timings;
}

type Term = readonly [what: string, seconds: number];

export function expectedOutage(input: OutageInput): ExpectedOutage {
  const rolling = input.kind === 'rolling';
  const api = [
    ...(rolling ? rollingApi(input, input.replaced) : lockstepApi(input, 0)),
    ...rollingApi(input, input.secondPass, 'second pass: '),
  ];
  const members = [...input.replaced, ...input.others].sort(byName).map((member) => {
    const first = rolling ? rollingMember(input, member) : lockstepMember(input, member);
    const second = input.secondPass.includes(member) ? ownReplacement(input.timings, 'second pass: ') : [];
    return {
      member,
      ...(input.evacuated.includes(member) ? sumOf([], 'evacuated: no instance runs on it') : sumOf([...first, ...second], 'not replaced')),
    };
  });
  return { members, api: sumOf(api, 'the other members answer') };
}

function restart({ stopSeconds, createSeconds, startSeconds }: Timings): number {
  return stopSeconds + createSeconds + startSeconds;
}

function restartTerms({ stopSeconds, createSeconds, startSeconds }: Timings, prefix = ''): Term[] {
  return [
    [`${prefix}stop`, stopSeconds],
    ['create', createSeconds],
    ['start', startSeconds],
  ];
}

function ownReplacement(timings: Timings, prefix = ''): Term[] {
  return [...restartTerms(timings, prefix), ['instances', timings.instancesSeconds]];
}

function rollingMember({ replaced, instances, timings }: OutageInput, member: string): Term[] {
  if (!replaced.includes(member)) return [];
  return instances === 'stop'
    ? ownReplacement(timings)
    : [
        ['moved away', timings.evacuateSeconds],
        ['moved back', timings.evacuateSeconds],
      ];
}

function rollingApi({ leader, irreplaceable, timings }: OutageInput, replaced: readonly string[], prefix = ''): Term[] {
  return replaced.flatMap((member): Term[] => {
    if (irreplaceable.includes(member)) return restartTerms(timings, `${prefix}no majority without ${member}: `);
    return member === leader ? [[`${prefix}election when ${member}, the leader, stops`, timings.electionSeconds]] : [];
  });
}

/** From the replacement of the n-th member (0: the first) until all serve. */
function lockstepApi({ kind, replaced, creation, timings }: OutageInput, from: number): Term[] {
  const aligned: Term = ['align', timings.alignSeconds];
  if (kind === 'lockstep-sequential') {
    const left = replaced.length - from;
    return [
      [
        `${left} x (stop ${timings.stopSeconds} + create ${timings.createSeconds} + start ${timings.startSeconds})`,
        left * restart(timings),
      ],
      ...betweenTerms(timings, left - 1),
      aligned,
    ];
  }
  const pods = creation === 'together' ? 1 : replaced.length;
  return [
    ['stop', timings.stopSeconds],
    [pods === 1 ? 'create' : `${pods} x create ${timings.createSeconds}, one after another`, pods * timings.createSeconds],
    ['start', timings.startSeconds],
    ...(creation === 'together' ? togetherTerms(timings, replaced.length - 1) : []),
    aligned,
  ];
}

function betweenTerms({ betweenSeconds = 0 }: Timings, times: number): Term[] {
  return betweenSeconds === 0 || times < 1 ? [] : [[`${times} x gates between ${betweenSeconds}`, times * betweenSeconds]];
}

function togetherTerms({ togetherSeconds = 0 }: Timings, others: number): Term[] {
  return togetherSeconds === 0 || others < 1 ? [] : [['all at once', togetherSeconds]];
}

function lockstepMember(input: OutageInput, member: string): Term[] {
  const place = input.replaced.indexOf(member);
  const terms = lockstepApi(input, Math.max(0, place));
  // The last one finds all rows equal when it starts.
  const waits = input.kind === 'lockstep-parallel' || place < input.replaced.length - 1;
  return [...(waits ? terms : terms.filter(([what]) => what !== 'align')), ['instances', input.timings.instancesSeconds]];
}

function sumOf(terms: readonly Term[], otherwise: string): Outage {
  if (terms.length === 0) return { seconds: 0, derivation: otherwise };
  const seconds = Math.round(terms.reduce((sum, [, part]) => sum + part, 0) * 10) / 10;
  return { seconds, derivation: terms.map(([what, part]) => `${what} ${secondsText(part)}`).join(' + ') };
}
