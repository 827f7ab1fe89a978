/** `waiting`: LXD runs and serves nobody, since it waits for other members or its database; `silent`: nobody answers there. */
export type MemberState = 'serving' | 'waiting' | 'silent';

/** What one look found. Written whenever anything changed, and once a second. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly members: Readonly<Record<string, MemberState>>;
  /** Members that vote, as far as they said so themselves when they last answered. */
  readonly voters: readonly string[];
  /** The member that leads the database, if one says so. */
  readonly leader: string | null;
  /** Whether the API of Kubernetes answers. */
  readonly kubernetes: boolean;
  /** Containers by name: whether their page was served. */
  readonly web: Readonly<Record<string, boolean>>;
}

export interface Observation {
  readonly samples: number;
  readonly durationMs: number;
  /** Members that did not serve at the same time; how many at the worst moment. */
  readonly maxDownAtOnce: number;
  /** Times at which fewer than half of the voters and one more answered. */
  readonly quorumLost: number;
  readonly quorumLostMs: number;
  /** No member served at all. */
  readonly apiOutageMs: number;
  /** From the first moment at which a member did not serve until the last one serves again, summed over all such times. */
  readonly degradedMs: number;
  readonly kubernetesOutageMs: number;
  readonly memberDownMs: Readonly<Record<string, number>>;
  readonly webDownMs: Readonly<Record<string, number>>;
  /** A container was down although its member served, for this long. */
  readonly webDownMemberUpMs: Readonly<Record<string, number>>;
}

const votersAnswer = ({ voters, members }: Sample): number => voters.filter((name) => members[name] !== 'silent').length;
export const hasQuorum = (sample: Sample): boolean => sample.voters.length === 0 || votersAnswer(sample) * 2 > sample.voters.length;
const down = ({ members }: Sample): string[] => Object.keys(members).filter((name) => members[name] !== 'serving');

/** Sums up a series of samples in the order of time. `members` of the containers by name. Each sample counts until the next one. */
export function observationOf(samples: readonly Sample[], memberOfWeb: Readonly<Record<string, string>>): Observation {
  const spans = samples.map((sample, i) => ({ sample, ms: (samples[i + 1]?.at ?? sample.at) - sample.at }));
  const time = (holds: (sample: Sample) => boolean) => spans.filter(({ sample }) => holds(sample)).reduce((sum, { ms }) => sum + ms, 0);
  const episodes = (holds: (sample: Sample) => boolean) =>
    samples.filter((sample, i) => holds(sample) && !(i > 0 && holds(samples[i - 1] as Sample))).length;
  const names = (of: (sample: Sample) => object) => [...new Set(samples.flatMap((sample) => Object.keys(of(sample))))].sort();
  const each = (all: readonly string[], ms: (name: string) => number) => Object.fromEntries(all.map((name) => [name, ms(name)]));
  const webs = names(({ web }) => web);
  const lost = (sample: Sample) => !hasQuorum(sample);
  return {
    samples: samples.length,
    durationMs: (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0),
    maxDownAtOnce: Math.max(0, ...samples.map((sample) => down(sample).length)),
    quorumLost: episodes(lost),
    quorumLostMs: time(lost),
    apiOutageMs: time((sample) => down(sample).length === Object.keys(sample.members).length),
    degradedMs: time((sample) => down(sample).length > 0),
    kubernetesOutageMs: time(({ kubernetes }) => !kubernetes),
    memberDownMs: each(
      names(({ members }) => members),
      (name) => time((sample) => down(sample).includes(name)),
    ),
    webDownMs: each(webs, (name) => time(({ web }) => web[name] === false)),
    webDownMemberUpMs: each(webs, (name) =>
      time(({ web, members }) => web[name] === false && members[memberOfWeb[name] ?? ''] === 'serving'),
    ),
  };
}
