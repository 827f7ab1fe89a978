import { join } from 'node:path';
import type { ClusterLab } from '#lab/cluster/harness.js';
import { http } from '#lab/http.js';
import { LabProcess } from '#lab/process.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import type { UpgradePhase, UpgradeView } from '#libs/contracts/upgrades.js';
import type { Upgrades } from './cluster-upgrades.js';
import { HeldActivities } from './held-activities.js';

export const TARGETS = ['worker', 'api', 'temporal', 'kube-apiserver', 'kubelet'] as const;
export type Target = (typeof TARGETS)[number];
export const KUBELETS = ['node-1-kubelet', 'node-2-kubelet', 'node-3-kubelet'] as const;

/** Activities that are no step of a plan, in their order: boundaries of their own. */
const BEFORE = ['prepareUpgrade', 'takeClusterLock', 'pullImages', 'probeTargetVersion', 'planUpgrade', 'confirmPlan'] as const;
const AFTER = 'finishUpgrade';
const NO_STEPS: readonly string[] = [...BEFORE, AFTER];
const OVER: readonly UpgradePhase[] = ['finished', 'went-back', 'refused', 'ended', 'failed-step'];
const LONGEST_MS = 1_500_000;
/** They end by themselves when what they watch comes back otherwise than they knew it; on a real control plane kubelet starts them again. */
const CONTROL_PLANE = ['kube-scheduler', 'kube-controller-manager'] as const;

/** Whether the upgrade goes on by itself from there, or is left standing for the test. */
type Arrived = 'on' | 'stay';

/** An upgrade on a worker that stands still at every boundary until the test has done there what it wants to do: none is passed unseen. */
export class BoundaryKills {
  readonly #held: HeldActivities;
  readonly #worker: LabProcess;

  constructor(
    readonly cluster: ClusterLab,
    readonly upgrades: Upgrades,
  ) {
    const { profile } = cluster.lab;
    const folder = join(profile.paths.cluster, 'held');
    this.#held = new HeldActivities(folder);
    const main = join(projectRoot(), 'dist', 'test', 'support', 'holding-worker.js');
    this.#worker = new LabProcess(profile, {
      name: 'worker',
      spec: () => ({
        command: process.execPath,
        args: ['--enable-source-maps', main, '--config', join(profile.paths.apps, 'worker.yaml')],
        cwd: projectRoot(),
        env: { WEBSPACES_HELD: folder },
      }),
      healthy: async () => (await http(`http://127.0.0.1:${profile.ports.worker}/health/ready`, { timeoutMs: 2_000 })).status === 200,
      readyTimeoutMs: 60_000,
      stopTimeoutMs: 15_000,
    });
  }

  /**
   * The boundaries of an upgrade that has finished, in their order. A gate that the look of another has decided begins and ends in one task of the
   * workflow: it has none, and one that was met is one.
   */
  static boundariesOf({ steps }: Pick<UpgradeView, 'steps'>, met: readonly string[]): string[] {
    const own = steps.filter(({ step, startedAt, endedAt }) => startedAt !== endedAt || met.includes(step.id));
    return [...BEFORE, ...own.map(({ step }) => step.id), AFTER];
  }

  /** In place of the lab's own worker, until that is asked for again. */
  async start(): Promise<void> {
    this.#held.clear();
    await this.#worker.stop();
    await this.#worker.start();
  }

  /** Kills it with SIGKILL, lets the step begin, and starts it again. */
  async kill(target: Target, turn: number): Promise<void> {
    const kubelet = KUBELETS[turn % KUBELETS.length] ?? KUBELETS[0];
    const process = target === 'worker' ? this.#worker : this.cluster.lab.process(target === 'kubelet' ? kubelet : target);
    if (!(await process.kill('SIGKILL'))) throw new Error(`${process.name} did not run when it was to be killed`);
    this.release();
    await process.start();
  }

  /** Lets go on what stands still. */
  release(): void {
    for (const one of this.#held.held()) this.#held.release(one);
  }

  async #controlPlaneRuns(): Promise<void> {
    for (const name of CONTROL_PLANE) {
      const process = this.cluster.lab.process(name);
      if (process.pid() === undefined) await process.start();
    }
  }

  /** Until its end, or until `arrive` leaves it standing at a boundary; each boundary is arrived at once. Approves the plan of that kind. */
  async follow(id: string, kind: string, arrive: (boundary: string) => Promise<Arrived>): Promise<UpgradeView> {
    const seen = new Set<string>();
    let last: UpgradeView | undefined;
    let approving: Promise<unknown> | undefined;
    const approve = (hash: string | undefined) => {
      const answer = this.upgrades.order(id, 'approve', { hash, acceptPointOfNoReturn: true });
      // Whoever asks may be cut off by a kill; the next look tells whether it was heard.
      approving = Promise.allSettled([answer]).then(() => {
        approving = undefined;
      });
    };
    const over = async () => {
      await this.#controlPlaneRuns();
      const held = this.#held.held();
      const view = await this.upgrades.view(id);
      last = view ?? last;
      if (!view) return false;
      if (OVER.includes(view.phase)) return true;
      if (view.phase === 'awaiting-approval' && held.length === 0 && !approving) {
        approve(view.plans.find((plan) => plan.kind === kind)?.hash);
      }
      const [one] = held;
      if (one) {
        const boundary = boundaryOf(one.activity, view);
        if (boundary === undefined) return false;
        const arrived = seen.has(boundary) ? 'on' : await arrive(boundary);
        seen.add(boundary);
        if (arrived === 'stay') return true;
        // Only this one: during a kill the next may have arrived.
        this.#held.release(one);
      }
      return false;
    };
    await waitFor('the end of the upgrade', over, { timeoutMs: LONGEST_MS, intervalMs: 50 });
    await approving;
    if (!last) throw new Error('nothing was seen of the upgrade');
    return last;
  }
}

function boundaryOf(activity: string, { steps }: UpgradeView): string | undefined {
  if (NO_STEPS.includes(activity)) return activity;
  return steps.findLast(({ state }) => state !== 'planned')?.step.id;
}
