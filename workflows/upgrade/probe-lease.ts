import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { OfPlan, ProbeLeaseHold } from '../../libs/contracts/upgrade-activities.js';
import { upgradeStep, watching } from './activities.js';

/** Longer than any upgrade: each of its waits has a deadline, and the activity ends with its workflow. */
const LONGEST_MS = 366 * 24 * 3_600_000;

/** Keeps probes lenient by one activity that renews their Lease, pauses included, and notices when that is over. */
export class ProbeLease {
  readonly #acting: Acting;
  readonly #plan: OfPlan;
  readonly #hold: Omit<ProbeLeaseHold, 'lease'>;
  #holding: { readonly scope: CancellationScope; readonly ended: Promise<void> } | undefined;
  #lost: unknown;

  constructor(acting: Acting, plan: OfPlan, hold: Omit<ProbeLeaseHold, 'lease'>) {
    this.#acting = acting;
    this.#plan = plan;
    this.#hold = hold;
  }

  /** Why it is not renewed any more although nobody let it go. */
  get lost(): unknown {
    return this.#lost;
  }

  async take(lease: string): Promise<void> {
    await this.drop();
    this.#lost = undefined;
    const hold = { ...this.#hold, lease };
    await upgradeStep(`Take Lease ${lease}: probes are lenient`).takeProbeLease(this.#acting, this.#plan, hold);
    const scope = await CancellationScope.nonCancellable(async () => new CancellationScope());
    const ended = scope
      .run(() => watching(LONGEST_MS)(`Renew Lease ${lease}`).holdProbeLease(this.#acting, this.#plan, hold))
      .catch((error: unknown) => {
        if (!isCancellation(error)) this.#lost = error;
      });
    this.#holding = { scope, ended };
  }

  /** Strict again at once. */
  async release(lease: string): Promise<void> {
    await this.drop();
    await upgradeStep(`Release Lease ${lease}: probes are strict`).releaseProbeLease(this.#acting, this.#plan, { lease });
  }

  /** Stops renewing; the Lease expires by itself. */
  async drop(): Promise<void> {
    const holding = this.#holding;
    this.#holding = undefined;
    this.#lost = undefined;
    holding?.scope.cancel();
    await holding?.ended;
  }
}
