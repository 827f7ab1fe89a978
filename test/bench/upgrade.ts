import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { dim } from '#lab/progress.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradeView } from '#libs/contracts/upgrades.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import type { Options } from './options.js';
import type { Line, Report } from './results.js';
import { mean } from './statistics.js';

const KINDS = ['lockstep-parallel', 'lockstep-sequential'] as const;
type Kind = (typeof KINDS)[number];
const MORE = 1.2;
const MISSED = 0.2;
const LONGEST_MS = 300_000;
/** Upgrades of each kind by which the times are configured, at least: LXD elects its leader at once or only after many seconds. */
const MEASURED = 3;
/** Whether the database of the LXD at that address has its vote again, by the member's own certificate: 200 leads, 503 votes. */
const votes = (address: string) =>
  `cd /var/lib/lxd && curl -skI -m 1 -o /dev/null -w '%{http_code}' --cert server.crt --key server.key -H 'X-Dqlite-Version: 1' https://${address}:8443/internal/database`;

/**
 * How long not all members serve while their versions change: by an upgrade of ours, and by the same deletions by hand, in turns. Which of the two
 * comes first changes each time: an LXD starts more slowly from one restart to the next, and after eight or so quickly again. After the first half of
 * them the cluster is configured by its times, as an operator does (they are other ones on each machine), and the second half is foretold.
 */
export async function benchUpgrade(options: Options, report: Report): Promise<void> {
  const policy = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
  const cluster = await startClusterLab({ ...policy, profile: 'bench' });
  // By hand nobody asks the API, either.
  const upgrades = new Upgrades(cluster, { pollMs: 3_000 });
  const runs = new Map<string, number[]>();
  const add = (what: string, value: number): void => void runs.set(what, [...(runs.get(what) ?? []), value]);
  let bump = (await bumped(cluster)) ?? 0;
  const next = () => {
    bump += 1;
    return { [BUMP]: String(bump) };
  };
  const both = async (kind: Kind) => {
    const manually = () => away(cluster, () => byHand(cluster, kind, next()));
    const handFirst = (runs.get(kind)?.length ?? 0) % 2 === 0;
    const first = handFirst ? await manually() : undefined;
    const { ms: value, result } = await away(cluster, () => ours(upgrades, kind, next()));
    const { ms: hand } = first ?? (await manually());
    add(`${kind} by hand`, hand);
    add(kind, value);
    return { ...result, hand, value };
  };
  await cluster.configure({ timings: await measured(cluster, both, Math.max(MEASURED, options.upgrades)) });
  for (let round = 0; round < options.upgrades; round++) {
    for (const kind of KINDS) {
      const { expectedMs, hand, value } = await both(kind);
      add(`${kind} expected`, expectedMs);
      add(`${kind} foretold`, value);
      console.log(dim(`          ${kind}: ${hand} ms by hand, ${value} ms by an upgrade, ${expectedMs} ms expected`));
    }
  }
  report(
    'not all members serve, while their versions change',
    KINDS.flatMap((kind) => lines(kind, (what) => runs.get(what) ?? [])),
  );
}

/** Of the template that is there: each change has to be another one. */
async function bumped(cluster: ClusterLab): Promise<number | undefined> {
  const { spec } = await cluster.pod(cluster.memberNames[0] ?? '');
  const variables = spec.containers.find(({ name }) => name === CLUSTER.container)?.env ?? [];
  const value = Number(variables.find(({ name }) => name === BUMP)?.value);
  return Number.isInteger(value) ? value : undefined;
}

type Both = (kind: Kind) => Promise<{ readonly steps: UpgradeView['steps']; readonly value: number }>;

/** From a few upgrades of each kind: the steps of the last member are left out, since it does not wait for others. */
async function measured(cluster: ClusterLab, both: Both, rounds: number) {
  const members = cluster.memberNames.length;
  const seen = { sequential: [] as number[], parallel: [] as number[], stop: [] as number[], start: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const { steps, value } = await both('lockstep-sequential');
    seen.stop.push(meanStep(steps, 'delete-pods', members - 1));
    seen.start.push(meanStep(steps, 'member-recorded', members - 1));
    seen.sequential.push(value);
    seen.parallel.push((await both('lockstep-parallel')).value);
  }
  const [sequential, parallel] = [mean(seen.sequential), mean(seen.parallel)];
  const [stop, start] = [mean(seen.stop), mean(seen.start)];
  const restart = stop + start;
  const align = Math.max(0.1, sequential / 1000 - members * restart);
  const togetherSeconds = tenths(parallel / 1000 - align - restart);
  const [stopSeconds, createSeconds, startSeconds, alignSeconds] = [stop, start / 2, start / 2, align].map(tenths);
  const timings = { stopSeconds, createSeconds, startSeconds, alignSeconds, betweenSeconds: 0, togetherSeconds };
  const rounded = `sequential ${listed(seen.sequential)}, parallel ${listed(seen.parallel)}`;
  console.log(dim(`          measured: ${rounded}: ${JSON.stringify(timings)}`));
  return timings;
}

function meanStep(steps: UpgradeView['steps'], name: string, count: number): number {
  const times = steps.flatMap(({ step, startedAt, endedAt }) =>
    step.id.endsWith(`-${name}`) && startedAt && endedAt ? [(Date.parse(endedAt) - Date.parse(startedAt)) / 1000] : [],
  );
  return mean(times.slice(0, count));
}

function tenths(seconds: number): number {
  return Math.max(0.1, Math.round(seconds * 10) / 10);
}

/** By means: how long the database takes to elect its leader is chance on both sides. */
function lines(kind: Kind, of: (what: string) => readonly number[]): Line[] {
  const [hand, values] = [of(`${kind} by hand`), of(kind)];
  const [expected, foretold] = [of(`${kind} expected`), of(`${kind} foretold`)];
  const ratio = mean(values) / mean(hand);
  const met = mean(expected) / mean(foretold);
  return [
    { what: `${kind}: the deletions by hand`, unit: 'ms', value: mean(hand), count: hand.length, note: rounds(hand) },
    {
      ...{ what: `${kind}: an upgrade`, unit: 'ms', value: mean(values), count: values.length, raw: mean(hand), ratio },
      ...{ target: `≤ ${MORE} of raw`, met: ratio <= MORE, note: rounds(values) },
    },
    {
      ...{ what: `${kind}: what its plan expected`, unit: 'ms', value: mean(expected), raw: mean(foretold), ratio: met },
      ...{ target: `within ${MISSED * 100} %`, met: Math.abs(met - 1) <= MISSED, note: rounds(expected) },
    },
  ];
}

function rounds(values: readonly number[]): string {
  return `rounds: ${listed(values)}`;
}

function listed(values: readonly number[]): string {
  return `${values.map((value) => (value / 1000).toFixed(1)).join(', ')} s`;
}

/** Milliseconds from the first member that does not serve until all do, by an observer that asks them all the time. */
async function away<T>(cluster: ClusterLab, change: () => Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const observer = await cluster.observe();
  const result = await change();
  await cluster.agreed(LONGEST_MS);
  return { ms: (await observer.stop()).degradedMs, result };
}

async function byHand(cluster: ClusterLab, kind: Kind, environment: Readonly<Record<string, string>>): Promise<void> {
  await cluster.applyStatefulSet({ image: IMAGES.lxd, environment, updateStrategy: 'OnDelete' });
  if (kind === 'lockstep-parallel') {
    await Promise.all(cluster.memberNames.map((name) => cluster.deletePod(name)));
    return;
  }
  for (const name of cluster.memberNames.toReversed()) {
    const { uid } = (await cluster.pod(name)).metadata;
    await cluster.deletePod(name);
    // Before that the next deletion would take the majority away, and LXD gives up starting after a minute without one.
    const hasVote = async () => {
      const pod = await cluster.kube.pod(name);
      const address = pod?.status.podIP;
      if (pod === undefined || pod.metadata.uid === uid || address === undefined) return false;
      return ['200', '503'].includes(await cluster.exec(name, ['sh', '-c', votes(address)]));
    };
    await waitFor(`the vote of LXD in the new pod ${name}`, hasVote, { timeoutMs: LONGEST_MS, intervalMs: 100 });
  }
}

async function ours(upgrades: Upgrades, kind: Kind, environment: Readonly<Record<string, string>>) {
  const id = await upgrades.begin({ image: IMAGES.lxd, environment });
  const { plans } = await upgrades.approve(id, kind);
  const { steps } = await upgrades.reaches(id, 'finished');
  return { steps, expectedMs: (plans.find((plan) => plan.kind === kind)?.outage.api.seconds ?? Number.NaN) * 1000 };
}
