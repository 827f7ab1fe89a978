import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { dim } from '#lab/progress.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradeView } from '#libs/contracts/upgrades.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import type { Options } from './options.js';
import type { Line, Report } from './results.js';
import { mean, median, medianRatio } from './statistics.js';

const KINDS = ['lockstep-parallel', 'lockstep-sequential'] as const;
type Kind = (typeof KINDS)[number];
const MORE = 1.2;
const MISSED = 0.2;
const LONGEST_MS = 300_000;
/** Upgrades of each kind by which the times are configured, at least: LXD elects its leader at once or only after many seconds. */
const MEASURED = 3;
const ANSWERS = 'curl -s -m 1 -o /dev/null --unix-socket /var/lib/lxd/unix.socket http://lxd/internal/ready';

/**
 * How long not all members serve while their versions change: by an upgrade of ours, and by the same deletions by hand, in turns. First a few upgrades of
 * each kind are measured only, and the cluster configured by its times, as an operator does: they are other ones on each machine.
 */
export async function benchUpgrade(options: Options, report: Report): Promise<void> {
  const policy = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
  const cluster = await startClusterLab({ ...policy, profile: 'bench' });
  // By hand nobody asks the API, either.
  const upgrades = new Upgrades(cluster, { pollMs: 1_000 });
  const runs = new Map<string, number[]>();
  const add = (what: string, value: number): void => void runs.set(what, [...(runs.get(what) ?? []), value]);
  let bump = (await bumped(cluster)) ?? 0;
  const next = () => {
    bump += 1;
    return { [BUMP]: String(bump) };
  };
  await cluster.configure({ timings: await measured(cluster, upgrades, { rounds: Math.max(MEASURED, options.upgrades), next }) });
  for (let round = 0; round < options.upgrades; round++) {
    for (const kind of KINDS) {
      const hand = await away(cluster, () => byHand(cluster, kind, next()));
      let expected = Number.NaN;
      const value = await away(cluster, async () => {
        expected = (await ours(upgrades, kind, next())).expectedMs;
      });
      add(`${kind} by hand`, hand);
      add(kind, value);
      add(`${kind} expected`, expected);
      console.log(dim(`          ${kind}: ${hand} ms by hand, ${value} ms by an upgrade, ${expected} ms expected`));
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

/** From a few upgrades of each kind: the steps of the last member are left out, since it does not wait for others. */
async function measured(cluster: ClusterLab, upgrades: Upgrades, of: { rounds: number; next: () => Readonly<Record<string, string>> }) {
  const { rounds, next } = of;
  const members = cluster.memberNames.length;
  const seen = { sequential: [] as number[], parallel: [] as number[], stop: [] as number[], start: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const one = await away(cluster, async () => {
      const { steps } = await ours(upgrades, 'lockstep-sequential', next());
      seen.stop.push(meanStep(steps, 'delete-pods', members - 1));
      seen.start.push(meanStep(steps, 'member-recorded', members - 1));
    });
    seen.sequential.push(one);
    seen.parallel.push(await away(cluster, async () => void (await ours(upgrades, 'lockstep-parallel', next()))));
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

function lines(kind: Kind, of: (what: string) => readonly number[]): Line[] {
  const hand = of(`${kind} by hand`);
  const values = of(kind);
  const expected = of(`${kind} expected`);
  const count = values.length;
  const ratio = medianRatio(values, hand);
  const foretold = mean(expected) / mean(values);
  return [
    { what: `${kind}: the deletions by hand`, unit: 'ms', value: median(hand), count, note: rounds(hand) },
    {
      ...{ what: `${kind}: an upgrade`, unit: 'ms', value: median(values), count, raw: median(hand), ratio },
      ...{ target: `≤ ${MORE} of raw`, met: ratio <= MORE, note: rounds(values) },
    },
    {
      ...{ what: `${kind}: what its plan expected`, unit: 'ms', value: mean(expected), raw: mean(values), ratio: foretold },
      ...{ target: `within ${MISSED * 100} %`, met: Math.abs(foretold - 1) <= MISSED, note: rounds(expected) },
    },
  ];
}

/** The ratio to by hand is the median of the rounds' own; what is expected is held against the mean. */
function rounds(values: readonly number[]): string {
  return `rounds: ${listed(values)}`;
}

function listed(values: readonly number[]): string {
  return `${values.map((value) => (value / 1000).toFixed(1)).join(', ')} s`;
}

/** Milliseconds from the first member that does not serve until all do, by an observer that asks them all the time. */
async function away(cluster: ClusterLab, change: () => Promise<void>): Promise<number> {
  const observer = await cluster.observe();
  await change();
  await cluster.agreed(LONGEST_MS);
  return (await observer.stop()).degradedMs;
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
    const answers = async () => {
      const pod = await cluster.kube.pod(name);
      if (pod === undefined || pod.metadata.uid === uid || pod.status.podIP === undefined) return false;
      await cluster.exec(name, ['sh', '-c', ANSWERS]);
      return true;
    };
    await waitFor(`LXD in the new ${CLUSTER.statefulSet} pod ${name}`, answers, { timeoutMs: LONGEST_MS, intervalMs: 100 });
  }
}

async function ours(upgrades: Upgrades, kind: Kind, environment: Readonly<Record<string, string>>) {
  const id = await upgrades.begin({ image: IMAGES.lxd, environment });
  const { plans } = await upgrades.approve(id, kind);
  const { steps } = await upgrades.reaches(id, 'finished');
  return { steps, expectedMs: (plans.find((plan) => plan.kind === kind)?.outage.api.seconds ?? Number.NaN) * 1000 };
}
