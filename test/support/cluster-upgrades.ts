import type { Lab } from '#lab/harness.js';
import type { HttpAnswer } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { RunPlan, RunView, UpgradePhase, UpgradeReport, UpgradeUpdate, UpgradeView } from '#libs/contracts/upgrades.js';
import { isPlatformError } from '#libs/errors/platform-error.js';

const LONGEST_MS = 420_000;
const REPLANS = 4;
const ENDED: readonly UpgradePhase[] = ['finished', 'went-back', 'planned', 'nothing-to-do', 'refused', 'ended'];

type Caller = Parameters<Lab['api']>[0];

export interface Wanted {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly dryRun?: boolean;
}

/** Whose API is asked, and who knows when the cluster is whole again. */
interface Upgraded {
  readonly lab: { api(user: Caller, method: string, path: string, body?: object): Promise<HttpAnswer> };
  agreed(timeoutMs: number): Promise<void>;
}

/** Upgrades of the lab's cluster as an admin asks for them: by the API alone. */
export class Upgrades {
  readonly #cluster: Upgraded;
  readonly #path: string;
  readonly #pollMs: number;

  constructor(cluster: Upgraded, { name = 'lab', pollMs = 250 }: { readonly name?: string; readonly pollMs?: number } = {}) {
    this.#cluster = cluster;
    this.#pollMs = pollMs;
    this.#path = `/v2/clusters/${name}/upgrades`;
  }

  /** The id of the upgrade that has begun. */
  async begin(wanted: Wanted): Promise<string> {
    const { status, body, json } = await this.#cluster.lab.api('admin', 'POST', this.#path, wanted);
    if (status !== 202) throw new Error(`POST ${this.#path}: ${status} ${body}`);
    return json<{ id: string }>().id;
  }

  /** What the API answers, whatever it is: while it or Temporal is away there is nothing. */
  async view(id: string): Promise<UpgradeView | undefined> {
    try {
      const { status, json } = await this.#cluster.lab.api('admin', 'GET', `${this.#path}/${id}`);
      return status === 200 ? json<{ upgrade?: UpgradeView }>().upgrade : undefined;
    } catch (error) {
      if (isPlatformError(error)) throw error;
      return undefined;
    }
  }

  async reaches(id: string, ...phases: readonly UpgradePhase[]): Promise<UpgradeView> {
    let seen: UpgradeView | undefined;
    const reached = async () => {
      seen = (await this.view(id)) ?? seen;
      return seen !== undefined && (phases.includes(seen.phase) || ENDED.includes(seen.phase));
    };
    const what = `the upgrade to be ${phases.join(' or ')}`;
    await waitFor(what, reached, { timeoutMs: LONGEST_MS, intervalMs: this.#pollMs }).catch((cause: unknown) => {
      throw new Error(`${what}: ${seen ? storyOf(seen) : 'nothing seen'}`, { cause });
    });
    const view = seen as UpgradeView | undefined;
    if (view && phases.includes(view.phase)) return view;
    throw new Error(`${what}: it ended otherwise. ${view ? storyOf(view) : ''}`);
  }

  /** Until it says that it waits for that. */
  waits(id: string, reason: RegExp): Promise<UpgradeView> {
    return this.sees(id, `the upgrade to wait for ${reason}`, ({ wait }) => reason.test(wait?.for ?? ''));
  }

  /** Until that holds; not after the upgrade's end. */
  async sees(id: string, what: string, holds: (view: UpgradeView) => boolean): Promise<UpgradeView> {
    let seen: UpgradeView | undefined;
    const settled = async () => {
      seen = (await this.view(id)) ?? seen;
      return seen !== undefined && (holds(seen) || ENDED.includes(seen.phase));
    };
    const cause = await waitFor(what, settled, { timeoutMs: LONGEST_MS, intervalMs: 250 }).catch((error: unknown) => error);
    const view = seen as UpgradeView | undefined;
    if (view && holds(view)) return view;
    throw new Error(`${what}: ${view ? storyOf(view) : 'nothing seen'}`, { cause });
  }

  /** The HTTP answer to an order. */
  order(id: string, name: UpgradeUpdate, body: object = {}, user: Caller = 'admin') {
    return this.#cluster.lab.api(user, 'POST', `${this.#path}/${id}/${name}`, body);
  }

  /**
   * Approves the plan of that kind, or the only one. When the cluster has changed since, it reads the new plan, as a person does: a member that was
   * started again a moment ago may seem away for a while.
   */
  async approve(id: string, kind?: string): Promise<UpgradeView> {
    for (let again = REPLANS; ; again--) {
      const view = await this.reaches(id, 'awaiting-approval');
      const plan = view.plans.find((one) => kind === undefined || one.kind === kind);
      const answer = await this.order(id, 'approve', { hash: plan?.hash, acceptPointOfNoReturn: plan?.pointOfNoReturn !== undefined });
      if (answer.status === 200) return view;
      const changed = answer.status === 409 && answer.body.includes('The cluster has changed since');
      if (!changed || again === 0) throw new Error(`approve: ${answer.status} ${answer.body}`);
      await this.#cluster.agreed(LONGEST_MS);
    }
  }

  async report(id: string): Promise<UpgradeReport> {
    const answer = await this.#cluster.lab.api('admin', 'GET', `${this.#path}/${id}/report`);
    if (answer.status !== 200) throw new Error(`report: ${answer.status} ${answer.body}`);
    return answer.json<UpgradeReport>();
  }
}

/** Where an upgrade is, for the message of a test that fails. */
export function storyOf({
  phase,
  steps,
  wait,
  refusals,
}: Pick<RunView<RunPlan, unknown>, 'phase' | 'steps' | 'wait' | 'refusals'>): string {
  const last = steps.filter(({ state }) => state !== 'planned').slice(-3);
  return JSON.stringify({
    phase,
    wait: wait?.for,
    refusals,
    last: last.map(({ step, state, outcome, error }) => ({ id: step.id, state, outcome, error })),
  });
}
