import { setTimeout as pause } from 'node:timers/promises';
import { type Call, guarded } from '#activities/shared/guard.js';
import type { Acting } from '#libs/contracts/activities.js';
import type {
  ClaimsDeletion,
  MemberRemoval,
  PreparedScale,
  ReplicasChange,
  ScaleActivities,
  ScaleGateWatch,
} from '#libs/contracts/scalings.js';
import type { GateReading, OfPlan, UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import { readScaleGate } from '#libs/domain/scale/gates.js';
import { type DesiredScale, type ObservedScale, ordinalOf } from '#libs/domain/scale/observed.js';
import { planScale } from '#libs/domain/scale/plan.js';
import { planScaleBack } from '#libs/domain/scale/way-back.js';
import { simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import { PlatformError } from '#libs/errors/platform-error.js';

const MOST = 7;
const POLL_MS = 5;
const SET = 'lxd';

type Shared = Pick<UpgradeActivities, 'takeClusterLock' | 'finishUpgrade' | 'saveCopies' | 'evacuateMember' | 'restoreMember'>;

/** The activities of a scaling against a cluster that does at once what it is told, and refuses what would lose something. */
export class ScaleWorld {
  readonly #all = simulationOf(MOST).observe();
  readonly members: Set<string>;
  readonly evacuated = new Set<string>();
  readonly claims: Set<string>;
  readonly instances = new Map<string, readonly string[]>();
  /** Members whose instances stay where they are. */
  readonly immovable = new Set<string>();
  /** Pods that do not come to be members. */
  readonly strangers = new Set<string>();
  replicas: number;
  /** What was done, in order. */
  readonly did: string[] = [];

  constructor(
    members: number,
    private readonly settings: Partial<PreparedScale['settings']> = {},
  ) {
    const names = this.#named(members);
    [this.replicas, this.members, this.claims] = [members, new Set(names), new Set(names)];
    for (const name of names) this.instances.set(name, [`a-${name}`]);
  }

  observe(): ObservedScale {
    const pods = this.#all.pods.filter(({ name }) => (ordinalOf(SET, name) ?? MOST) < this.replicas);
    const members = this.#all.members
      .filter(({ name }) => this.members.has(name))
      .map((member) => ({ ...member, status: this.evacuated.has(member.name) ? ('Evacuated' as const) : ('Online' as const) }));
    const statefulSet = { ...this.#all.statefulSet, replicas: this.replicas };
    return {
      cluster: { ...this.#all, pods, members, statefulSet, storage: 'unwatched', volumes: [], leader: `${SET}-0` },
      instances: Object.fromEntries(this.instances),
      others: {},
      claims: [...this.claims].map((member) => ({ name: `state-${member}`, member })),
      freeNodes: 'any',
    };
  }

  activities(): ScaleActivities & Shared {
    const done = async () => undefined;
    return {
      prepareScale: async (_acting, { replicas, volumes = 'keep', lost = 'refused' }) => ({
        settings: { approvalSeconds: 3600, twoPersons: false, standSeconds: 3600, ...this.settings },
        desired: { replicas, volumes, lost, deadlinesSeconds: {}, settleSeconds: 0, stuckSeconds: 600 },
      }),
      planScale: async (_acting, _cluster, desired) => ({ planned: planScale(this.observe(), desired), table: [] }),
      confirmScale: async (_acting, plan, desired) => {
        const planned = planScale(this.observe(), desired);
        if (planned.is === 'plan' && planned.plan.hash === plan.hash) return { is: 'same' };
        return { is: 'changed', planned, differences: ['It is another one.'], table: [] };
      },
      planScaleBack: async (_acting, plan, desired: DesiredScale) => planScaleBack(plan, this.observe(), desired),
      watchScaleGate: guarded((call: Call, _acting: Acting, _cluster: string, watch: ScaleGateWatch) => this.#watch(call, watch)),
      setReplicas: guarded(async (_call, _acting: Acting, _plan: OfPlan, { replicas }: ReplicasChange) => this.#setReplicas(replicas)),
      removeMember: guarded(async (_call, _acting: Acting, _plan: OfPlan, { member }: MemberRemoval) => {
        if ((ordinalOf(SET, member) ?? 0) < this.replicas) throw new PlatformError('CONFLICT', `${member} still has a pod`);
        this.members.delete(member);
        this.did.push(`remove ${member}`);
      }),
      deleteClaims: guarded(async (_call, _acting: Acting, _plan: OfPlan, { member }: ClaimsDeletion) => {
        if (this.members.has(member)) throw new PlatformError('CONFLICT', `${member} is a member`);
        this.claims.delete(member);
        this.did.push(`delete claims of ${member}`);
      }),
      takeClusterLock: done,
      finishUpgrade: done,
      saveCopies: async () => ({ place: 'a folder', files: [] }),
      evacuateMember: async (_acting, _plan, member) => {
        this.evacuated.add(member);
        this.did.push(`evacuate ${member}`);
        if (this.immovable.has(member)) return;
        const first = `${SET}-0`;
        this.instances.set(first, [...(this.instances.get(first) ?? []), ...(this.instances.get(member) ?? [])]);
        this.instances.delete(member);
      },
      restoreMember: async (_acting, _plan, member) => {
        this.evacuated.delete(member);
        this.did.push(`restore ${member}`);
      },
    };
  }

  #setReplicas(replicas: number): void {
    const gone = `${SET}-${replicas}`;
    if (replicas < this.replicas && this.instances.has(gone)) throw new PlatformError('CONFLICT', `${gone} goes with instances`);
    const come = this.#named(replicas).slice(this.replicas);
    this.replicas = replicas;
    for (const name of come) {
      this.claims.add(name);
      if (!this.strangers.has(name)) this.members.add(name);
    }
    this.did.push(`ask for ${replicas}`);
  }

  async #watch(call: Call, watch: ScaleGateWatch): Promise<GateReading> {
    const begun = Date.now();
    for (let readings = 1; ; readings++) {
      call.signal.throwIfAborted();
      const outcome = readScaleGate(watch.call, this.observe(), watch.stuckSeconds);
      const reading = { outcome, table: [], readings, at: new Date().toISOString(), passingSince: undefined };
      if (outcome.is !== 'waiting') return reading;
      if (watch.returnOn === 'change' && outcome.reason !== watch.knownReason) return reading;
      if (Date.now() - begun >= watch.returnAfterSeconds * 1000) return reading;
      await pause(POLL_MS, undefined, { signal: call.signal });
    }
  }

  #named(count: number): string[] {
    return Array.from({ length: count }, (_, at) => `${SET}-${at}`);
  }
}
