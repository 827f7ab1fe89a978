import type { Lab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import type { ScaleReport, ScaleRequest, ScaleView } from '#libs/contracts/scalings.js';
import type { UpgradePhase, UpgradeUpdate } from '#libs/contracts/upgrades.js';
import { storyOf } from './cluster-upgrades.js';

const PATH = '/v2/clusters/lab/scalings';
const LONGEST_MS = 300_000;
const ENDED: readonly UpgradePhase[] = ['finished', 'went-back', 'nothing-to-do', 'refused', 'ended'];

/** Scalings of the cluster `lab` as an admin asks for them: by the API alone. */
export class Scalings {
  constructor(private readonly lab: Lab) {}

  async plan(wanted: ScaleRequest): Promise<ScaleReport> {
    const { status, body, json } = await this.lab.api('admin', 'POST', PATH, { ...wanted, dryRun: true });
    if (status !== 200) throw new Error(`POST ${PATH}: ${status} ${body}`);
    return json<ScaleReport>();
  }

  /** The id of the scaling that has begun. */
  async begin(wanted: ScaleRequest): Promise<string> {
    const { status, body, json } = await this.lab.api('admin', 'POST', PATH, wanted);
    if (status !== 202) throw new Error(`POST ${PATH}: ${status} ${body}`);
    return json<{ id: string }>().id;
  }

  /** Until it is in that phase, or waits for that. */
  async reaches(id: string, to: UpgradePhase | RegExp): Promise<ScaleView> {
    let seen: ScaleView | undefined;
    const isThere = (view: ScaleView) => (to instanceof RegExp ? to.test(view.wait?.for ?? '') : view.phase === to);
    const reached = async () => {
      const { status, json } = await this.lab.api('admin', 'GET', `${PATH}/${id}`);
      seen = (status === 200 ? json<{ scaling?: ScaleView }>().scaling : undefined) ?? seen;
      return seen !== undefined && (isThere(seen) || ENDED.includes(seen.phase) || (seen.phase === 'failed-step' && to === 'finished'));
    };
    await waitFor(`the scaling to reach ${to}`, reached, { timeoutMs: LONGEST_MS, intervalMs: 250 }).catch((cause: unknown) => {
      throw new Error(`${to}: ${seen ? storyOf(seen) : 'nothing seen'}`, { cause });
    });
    const view = seen as ScaleView | undefined;
    if (view && isThere(view)) return view;
    throw new Error(`${to}: it ended otherwise. ${view ? storyOf(view) : ''}`);
  }

  /** The HTTP answer to an order. */
  order(id: string, name: UpgradeUpdate, body: object = {}) {
    return this.lab.api('admin', 'POST', `${PATH}/${id}/${name}`, body);
  }

  /** Begun and approved. */
  async approved(wanted: ScaleRequest): Promise<string> {
    const id = await this.begin(wanted);
    const { plans } = await this.reaches(id, 'awaiting-approval');
    const { status, body } = await this.order(id, 'approve', { hash: plans[0]?.hash });
    if (status !== 200) throw new Error(`approve: ${status} ${body}`);
    return id;
  }

  /** From asking to its end; gives what it says of itself. */
  async done(wanted: ScaleRequest): Promise<ScaleReport> {
    const id = await this.approved(wanted);
    await this.reaches(id, 'finished');
    return (await this.lab.api('admin', 'GET', `${PATH}/${id}/report`)).json<ScaleReport>();
  }
}
