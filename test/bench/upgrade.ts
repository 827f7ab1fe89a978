import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP, CLUSTER } from '#lab/cluster/manifests.js';
import { waitFor } from '#lab/wait.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import type { Options } from './options.js';
import type { Line, Report } from './results.js';
import { median } from './statistics.js';

const KINDS = ['lockstep-parallel', 'lockstep-sequential'] as const;
type Kind = (typeof KINDS)[number];
const MORE = 1.2;
const MISSED = 0.2;
const LONGEST_MS = 300_000;
const ANSWERS = 'curl -s -m 1 -o /dev/null --unix-socket /var/lib/lxd/unix.socket http://lxd/internal/ready';

/** How long not all members serve while their versions change: by an upgrade of ours, and by the same deletions by hand, in turns. */
export async function benchUpgrade(options: Options, report: Report): Promise<void> {
  const policy = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
  const cluster = await startClusterLab({ ...policy, profile: 'bench' });
  const upgrades = new Upgrades(cluster);
  const runs = new Map<string, number[]>();
  const add = (what: string, value: number): void => void runs.set(what, [...(runs.get(what) ?? []), value]);
  let bump = 0;
  const next = () => {
    bump += 1;
    return { [BUMP]: String(bump) };
  };
  for (let round = 0; round < options.upgrades; round++) {
    for (const kind of KINDS) {
      add(`${kind} by hand`, await away(cluster, () => byHand(cluster, kind, next())));
      add(kind, await away(cluster, async () => add(`${kind} expected`, await ours(upgrades, kind, next()))));
    }
  }
  report(
    'not all members serve, while their versions change',
    KINDS.flatMap((kind) => lines(kind, (what) => runs.get(what) ?? [])),
  );
}

function lines(kind: Kind, of: (what: string) => readonly number[]): Line[] {
  const [hand, value, expected] = [of(`${kind} by hand`), of(kind), of(`${kind} expected`)].map(median) as [number, number, number];
  const count = of(kind).length;
  const ratio = value / hand;
  return [
    { what: `${kind}: the deletions by hand`, unit: 'ms', value: hand, count },
    { what: `${kind}: an upgrade`, unit: 'ms', value, count, raw: hand, ratio, target: `≤ ${MORE} of raw`, met: ratio <= MORE },
    {
      what: `${kind}: what its plan expected`,
      unit: 'ms',
      value: expected,
      raw: value,
      ratio: expected / value,
      target: `within ${MISSED * 100} %`,
      met: Math.abs(expected / value - 1) <= MISSED,
    },
  ];
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

/** What the plan expected, in milliseconds. */
async function ours(upgrades: Upgrades, kind: Kind, environment: Readonly<Record<string, string>>): Promise<number> {
  const id = await upgrades.begin({ image: IMAGES.lxd, environment });
  const { plans } = await upgrades.approve(id, kind);
  await upgrades.reaches(id, 'finished');
  return (plans.find((plan) => plan.kind === kind)?.outage.api.seconds ?? Number.NaN) * 1000;
}
