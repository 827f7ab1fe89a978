import { setTimeout as pause } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { type Call, guarded } from '#activities/shared/guard.js';
import type { Acting } from '#libs/contracts/activities.js';
import type { GateReading, GateWatch, PodDeletion, UpgradeActivities, UpgradeSettings } from '#libs/contracts/upgrade-activities.js';
import type { MemberRow } from '#libs/contracts/upgrades.js';
import type { UpgradeAction } from '#libs/domain/upgrade/actions.js';
import { whyNotDeleted } from '#libs/domain/upgrade/deletion.js';
import type { DesiredUpgrade } from '#libs/domain/upgrade/desired.js';
import { differences } from '#libs/domain/upgrade/difference.js';
import { readGate } from '#libs/domain/upgrade/gates.js';
import { hasMajority } from '#libs/domain/upgrade/narrations/simulated-lxd.js';
import type { Simulation } from '#libs/domain/upgrade/narrations/simulation.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { planUpgrade } from '#libs/domain/upgrade/plan.js';
import { planWayBack } from '#libs/domain/upgrade/way-back.js';
import { buildText, versionsText } from '#libs/domain/upgrade/wording.js';
import { PlatformError } from '#libs/errors/platform-error.js';

const TICK_MS = 1;

/** What was seen beside the upgrade, at every simulated second. */
export interface WorldSeen {
  mostDown: number;
  quorumLostSeconds: number;
  /** Whether the Lease of the probes was renewed, at each deletion of pods. */
  readonly leaseAtDeletions: boolean[];
}

/** The activities of an upgrade against a simulated cluster whose seconds pass in milliseconds. */
export class UpgradeWorld {
  readonly seen: WorldSeen = { mostDown: 0, quorumLostSeconds: 0, leaseAtDeletions: [] };
  readonly simulation: Simulation;
  readonly desired: DesiredUpgrade;
  readonly #settings: UpgradeSettings;
  #holds = 0;
  /** Makes the renewal of the Lease fail once. */
  losesLease = false;

  constructor(simulation: Simulation, desired: DesiredUpgrade, settings: Partial<UpgradeSettings> = {}) {
    this.simulation = simulation;
    this.desired = desired;
    this.#settings = {
      approvalSeconds: 3600,
      twoPersons: false,
      standSeconds: 3600,
      probeLease: { seconds: 600 },
      merge: 'person',
      ...settings,
    };
  }

  get leaseHeld(): boolean {
    return this.#holds > 0;
  }

  activities(): UpgradeActivities {
    const done = async () => undefined;
    const act = (action: UpgradeAction) => {
      this.simulation.apply(action);
      this.#tick();
    };
    const { target, ...desired } = this.desired;
    return {
      prepareUpgrade: async () => ({ settings: this.#settings, desired }),
      takeClusterLock: done,
      pullImages: done,
      probeTargetVersion: async () => target,
      planUpgrade: async (_acting, _cluster, wanted) => ({ planned: planUpgrade(this.simulation.observe(), wanted), table: this.#table() }),
      confirmPlan: async (_acting, plan, wanted) => {
        const order = plan.replaced.map(({ member }) => member);
        const planned = planUpgrade(this.simulation.observe(), { ...wanted, order });
        const fresh = planned.is === 'plans' ? planned.plans.find(({ kind }) => kind === plan.kind) : undefined;
        if (fresh?.hash === plan.hash) return { is: 'same' };
        return {
          is: 'changed',
          planned,
          differences: fresh ? differences(plan, fresh) : ['There is no such plan any more.'],
          table: this.#table(),
        };
      },
      planWayBack: async (_acting, plan, wanted, stage) => planWayBack(plan, this.simulation.observe(), wanted, stage ?? 'template'),
      observeCluster: async () => this.simulation.observe(),
      watchGate: guarded((call: Call, _acting: Acting, _cluster: string, watch: GateWatch) => this.#watch(call, watch)),
      saveCopies: async () => ({ place: 'a folder', files: [] }),
      patchTemplate: async (_acting, _plan, change) => act(change),
      proposeTemplate: async () => ({ number: 1, url: 'https://git.example/1', branch: 'upgrade-1', values: [] }),
      watchProposal: async () => {
        throw new Error('no pull requests here');
      },
      withdrawProposal: done,
      recreateStatefulSet: async (_acting, _plan, action) => act(action),
      setUpdateStrategy: async (_acting, _plan, action) => act(action),
      evacuateMember: async (_acting, _plan, member) => act({ do: 'evacuate-member', member }),
      restoreMember: async (_acting, _plan, member) => act({ do: 'restore-member', member }),
      deletePods: async (_acting, _plan, deletion) => {
        const { pods, members } = deletion;
        this.#makeSure(deletion);
        this.seen.leaseAtDeletions.push(this.leaseHeld);
        act({ do: 'delete-pods', pods, members });
        while (this.simulation.observe().pods.some(({ name, deleting }) => pods.includes(name) && deleting === 'yes')) this.#tick();
      },
      takeProbeLease: done,
      holdProbeLease: guarded((call: Call) => this.#hold(call)),
      releaseProbeLease: done,
      finishUpgrade: done,
    };
  }

  /** As the real one, for as many simulated seconds. */
  #makeSure(deletion: PodDeletion): void {
    let why = whyNotDeleted(this.simulation.observe(), deletion);
    for (let looks = 0; why !== undefined && looks < 90; looks++) {
      this.#tick();
      why = whyNotDeleted(this.simulation.observe(), deletion);
    }
    if (why === undefined) return;
    throw ApplicationFailure.create({ type: 'CONFLICT', message: why, nonRetryable: true, details: [{ deleted: 'none' }] });
  }

  async #hold(call: Call): Promise<void> {
    this.#holds += 1;
    try {
      while (!this.losesLease) await pause(20, undefined, { signal: call.signal });
      this.losesLease = false;
    } finally {
      this.#holds -= 1;
    }
    throw new PlatformError('CONFLICT', 'Somebody else took the Lease.');
  }

  async #watch(call: Call, watch: GateWatch): Promise<GateReading> {
    const { simulation } = this;
    const began = simulation.now();
    let goodSince = watch.passingSince === undefined ? undefined : Number(watch.passingSince);
    for (let readings = 1; ; readings++) {
      call.signal.throwIfAborted();
      const raw = readGate(watch.call, simulation.observe(), watch.aim);
      const now = simulation.now();
      goodSince = raw.is === 'passed' ? (goodSince ?? now) : undefined;
      const settled = goodSince !== undefined && now - goodSince >= watch.settleSeconds;
      const outcome =
        raw.is === 'passed' && !settled ? ({ is: 'waiting', reason: 'settling', progress: `since ${goodSince}` } as const) : raw;
      const reading = { outcome, table: this.#table(), readings, at: new Date().toISOString(), passingSince: goodSince?.toString() };
      const also = (watch.also ?? []).map(({ call: next, aim }) => readGate(next, simulation.observe(), aim));
      if (outcome.is !== 'waiting') return outcome.is === 'passed' ? { ...reading, also } : reading;
      if (watch.returnOn === 'change' && outcome.reason !== watch.knownReason) return reading;
      if (now - began >= watch.returnAfterSeconds) return reading;
      if (Date.now() >= Date.parse(watch.deadline)) {
        return { ...reading, outcome: { is: 'failed', reason: `Its time is over. Still: ${outcome.reason}`, remedy: 'See the member.' } };
      }
      this.#tick();
      await pause(TICK_MS);
    }
  }

  #tick(): void {
    const { simulation, seen } = this;
    simulation.tick();
    const down = simulation.members.filter(({ daemon }) => daemon !== 'serving').length;
    seen.mostDown = Math.max(seen.mostDown, down);
    if (!hasMajority(simulation.members)) seen.quorumLostSeconds += 1;
  }

  #table(): MemberRow[] {
    return tableOf(this.simulation.observe());
  }
}

function tableOf({ members, pods }: ObservedCluster): MemberRow[] {
  return members.map(({ name, status, answers, versions, database, pod }) => {
    const found = pods.find((one) => one.name === pod);
    return {
      member: name,
      status,
      answers,
      versions: versionsText(versions),
      database,
      pod,
      node: found?.node ?? '',
      image: found ? buildText(found.build) : '',
      probes: found?.probes ?? [],
      volumes: '',
    };
  });
}
