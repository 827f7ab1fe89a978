import type { ClusterLab } from '#lab/cluster/harness.js';
import { labGithubWriter, type Pull } from '#lab/flux/part.js';
import { FLUX } from '#lab/flux/repository.js';
import type { UpgradeView } from '#libs/contracts/upgrades.js';
import { Upgrades } from './cluster-upgrades.js';

export interface GitopsSettings {
  readonly merge: 'person' | 'ours';
  readonly requiredChecks?: readonly string[];
  /** Of the pods, as the lab begins; see `firstRelease`. */
  readonly podProbes: 'exec' | 'lease';
  /** How the probes are kept out of an upgrade's way. */
  readonly probes: 'lease' | 'template';
}

/** Upgrades of a cluster that follows a repository, with people who act in that. */
export class GitopsUpgrades extends Upgrades {
  readonly #lab: ClusterLab;

  private constructor(cluster: ClusterLab) {
    super(cluster);
    this.#lab = cluster;
  }

  /** The cluster is one that was made anew. */
  static async open(cluster: ClusterLab, { podProbes, probes, ...way }: GitopsSettings): Promise<GitopsUpgrades> {
    await cluster.flux.begin(podProbes);
    await cluster.configure({ probes, way: { kind: 'gitops', ...FLUX, ...way, github: labGithubWriter(cluster.lab.profile) } });
    return new GitopsUpgrades(cluster);
  }

  /** Nothing follows the repository any more, and the worker has the lab's usual settings. */
  async close(): Promise<void> {
    this.#lab.flux.resume();
    await this.#lab.flux.process.stop();
    await this.#lab.configure({});
  }

  /** The pull request that the upgrade waits for, later than the one given, when it says so of it. */
  async proposed(
    id: string,
    { reason = /waits for a person to merge it/, after = 0 }: { readonly reason?: RegExp; readonly after?: number } = {},
  ): Promise<Pull & { readonly number: number }> {
    const isIt = (view: UpgradeView) => numberIn(view) > after && reason.test(view.wait?.for ?? '');
    const number = numberIn(await this.sees(id, `a pull request after ${after}`, isIt));
    return { number, ...(await this.#lab.flux.pull(number)) };
  }

  /** Until a step of that kind is done. */
  stepDone(id: string, kind: string): Promise<UpgradeView> {
    return this.sees(id, `a step ${kind} to be done`, ({ steps }) =>
      steps.some(({ step, state }) => step.id.endsWith(`-${kind}`) && state === 'done'),
    );
  }
}

function numberIn({ wait }: UpgradeView): number {
  return Number(/pull\/(\d+)/.exec(wait?.for ?? '')?.[1]);
}
