import { actionText, type PlannedStep } from '../actions.js';
import type { DesiredUpgrade } from '../desired.js';
import type { GateOutcome } from '../gates.js';
import { readGate } from '../gates.js';
import type { ObservedCluster } from '../observed.js';
import type { PlanKind, UpgradePlan } from '../plan.js';
import { planUpgrade } from '../plan.js';
import { compareVersions } from '../versions.js';
import { type BackStage, planWayBack } from '../way-back.js';
import { buildText, listed, secondsText, versionsText } from '../wording.js';
import { hasMajority } from './simulated-lxd.js';
import type { Simulation } from './simulation.js';

/** What a person does about a gate that failed or ran out of time; does what is needed to the simulation itself. */
export type Operator = (
  step: PlannedStep,
  simulation: Simulation,
) => { readonly command: 'skip' | 'retry' | 'abort'; readonly because: string };

export interface Rollout {
  readonly simulation: Simulation;
  readonly desired: DesiredUpgrade;
  readonly kind: PlanKind;
  readonly operator?: Operator;
  readonly shuffle: (observed: ObservedCluster) => ObservedCluster;
}

/** What an observer beside the upgrade saw. */
export interface Seen {
  /** Most members that did not serve at one moment. */
  mostDown: number;
  quorumLostSeconds: number;
  apiAwaySeconds: number;
  readonly memberAwaySeconds: Map<string, number>;
}

export interface Narration {
  readonly lines: readonly string[];
  readonly plan: UpgradePlan;
  readonly seen: Seen;
  readonly end: ObservedCluster;
}

/** Plays a whole rollout: plan, steps, gates, operator, way back. */
export function narrate(rollout: Rollout): Narration {
  const { simulation, desired, kind, shuffle } = rollout;
  const planned = planUpgrade(shuffle(simulation.observe()), desired);
  const plan = planned.is === 'plans' ? planned.plans.find((one) => one.kind === kind) : undefined;
  if (!plan) throw new Error(`No ${kind} plan: ${JSON.stringify(planned)}`);
  const seen: Seen = { mostDown: 0, quorumLostSeconds: 0, apiAwaySeconds: 0, memberAwaySeconds: new Map() };
  const lines = planText(plan);
  const play = new Play(rollout, plan, { lines, seen });
  for (let stage = play.run(plan.steps) ? undefined : ('template' as BackStage | undefined); stage !== undefined; ) {
    const back = planWayBack(plan, shuffle(simulation.observe()), desired, stage);
    lines.push('', back.is === 'closed' ? `way back: closed. ${back.reason} ${back.remedy}` : `way back: ${back.why}`);
    stage = back.is === 'open' && play.run(back.steps) ? back.next : undefined;
  }
  const end = simulation.observe();
  lines.push('', ...endText(plan, end, seen));
  return { lines, plan, seen, end };
}

class Play {
  readonly #rollout: Rollout;
  readonly #plan: UpgradePlan;
  readonly #lines: string[];
  readonly #seen: Seen;
  /** In lockstep the API is away from the first deletion until all serve; afterwards, and in a rolling upgrade, without a leader only. */
  #aligned: boolean;

  constructor(rollout: Rollout, plan: UpgradePlan, { lines, seen }: { readonly lines: string[]; readonly seen: Seen }) {
    this.#rollout = rollout;
    this.#plan = plan;
    this.#lines = lines;
    this.#seen = seen;
    this.#aligned = plan.kind === 'rolling';
  }

  /** Whether all steps were done; false after an abort. */
  run(steps: readonly PlannedStep[]): boolean {
    for (const step of steps) {
      this.#say(
        `${step.id.split('-')[0]} ${actionText(step.action)} – ${step.reason}${step.pause === 'allowed' ? '' : ' [no pause here]'}`,
      );
      if (step.action.do !== 'wait-for-gate') {
        this.#rollout.simulation.apply(step.action);
        this.#tick();
      } else if (!this.#passes(step)) return false;
    }
    return true;
  }

  #passes(step: PlannedStep): boolean {
    for (;;) {
      const problem = this.#wait(step);
      if (problem === undefined) return true;
      this.#say(`   ${problem}`);
      const { command, because } = this.#rollout.operator?.(step, this.#rollout.simulation) ?? {
        command: 'abort',
        because: 'the gate does not pass',
      };
      this.#say(`   operator: ${command}, because ${because}`);
      if (command === 'skip') return true;
      if (command === 'abort') return false;
    }
  }

  /** Polls every second; undefined when it passed, else what is wrong. */
  #wait({ action }: PlannedStep): string | undefined {
    if (action.do !== 'wait-for-gate') return undefined;
    const begun = this.#rollout.simulation.now();
    let goodSince: number | undefined;
    let said = '';
    for (;;) {
      const outcome = readGate(action, this.#rollout.shuffle(this.#rollout.simulation.observe()), this.#plan.aims[action.aim]);
      const now = this.#rollout.simulation.now();
      if (outcome.is === 'failed') return `failed: ${outcome.reason} ${outcome.remedy}`;
      goodSince = outcome.is === 'passed' ? (goodSince ?? now) : undefined;
      if (outcome.is === 'passed' && goodSince !== undefined && now - goodSince >= action.settleSeconds) {
        this.#say(`   passed: ${outcome.because}`);
        return undefined;
      }
      if (now - begun >= action.deadlineSeconds)
        return `failed: its ${secondsText(action.deadlineSeconds)} are over. Still: ${waitText(outcome)}`;
      if (outcome.is === 'waiting' && outcome.reason !== said) {
        this.#say(`   waits: ${waitText(outcome)}`);
        said = outcome.reason;
      }
      this.#tick();
    }
  }

  #tick(): void {
    const { simulation } = this.#rollout;
    simulation.tick();
    const down = simulation.members.filter(({ daemon }) => daemon !== 'serving').map(({ name }) => name);
    this.#seen.mostDown = Math.max(this.#seen.mostDown, down.length);
    if (!hasMajority(simulation.members)) this.#seen.quorumLostSeconds += 1;
    const agreed = simulation.members.every(({ row }) => compareVersions(row, this.#plan.target.versions) === 'equal');
    if (agreed && down.length === 0) this.#aligned = true;
    if (this.#aligned ? simulation.electing() : down.length > 0) this.#seen.apiAwaySeconds += 1;
    for (const name of down) this.#seen.memberAwaySeconds.set(name, (this.#seen.memberAwaySeconds.get(name) ?? 0) + 1);
  }

  #say(text: string): void {
    this.#lines.push(`${String(this.#rollout.simulation.now()).padStart(6)} s  ${text}`);
  }
}

function waitText(outcome: GateOutcome): string {
  if (outcome.is !== 'waiting') return outcome.is;
  return outcome.progress === undefined ? outcome.reason : `${outcome.reason} (${outcome.progress})`;
}

function planText(plan: UpgradePlan): string[] {
  return [
    `plan: ${plan.kind} of ${plan.cluster}, from ${buildText(plan.before.build)} to ${buildText(plan.target.build)}`,
    `why: ${plan.why}`,
    ...plan.replaced.map(({ member, why, place }) => `replace ${member}: ${why}; ${place}`),
    ...plan.kept.map(({ member, why }) => `keep ${member}: ${why}`),
    ...(plan.secondPass.length > 0 ? [`second pass: ${listed(plan.secondPass)}`] : []),
    `expected: API away ${secondsText(plan.outage.api.seconds)} (${plan.outage.api.derivation})`,
    ...plan.outage.members.map(({ member, seconds, derivation }) => `expected: ${member} away ${secondsText(seconds)} (${derivation})`),
    `quorum: ${plan.quorum}`,
    ...plan.warnings.map(({ code, text }) => `warning: ${code}: ${text}`),
    `point of no return: ${plan.pointOfNoReturn ? `${plan.pointOfNoReturn.step}, ${plan.pointOfNoReturn.reason}` : 'none'}`,
    `way back: ${plan.wayBack}`,
    '',
  ];
}

function endText(plan: UpgradePlan, end: ObservedCluster, seen: Seen): string[] {
  const pods = new Map(end.pods.map((pod) => [pod.name, pod]));
  return [
    ...end.members.map(({ name, status, answers, versions }) => {
      const pod = pods.get(name);
      return `end: ${name} ${status}, ${answers}, ${versionsText(versions)}, ${pod ? buildText(pod.build) : 'no pod'} on ${pod?.node ?? 'no node'}, ${pod?.probes.length ?? 0} probes`;
    }),
    `end: StatefulSet ${end.statefulSet.podManagementPolicy}, ${end.statefulSet.updateStrategy.type}`,
    `seen: API away ${seen.apiAwaySeconds} s (expected ${plan.outage.api.seconds} s), at most ${seen.mostDown} down at once, quorum lost for ${seen.quorumLostSeconds} s`,
  ];
}
