import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { seconds } from '#lab/progress.js';
import { waitFor } from '#lab/wait.js';
import { tracesOf } from '../support/audit.js';
import type { Member, Outcome, Started } from '../support/direct.js';
import type { Point } from './points.js';
import type { Report, Run } from './report.js';
import type { Scenario } from './scenarios.js';
import type { Stage } from './stage.js';
import type { Trap } from './traps.js';

/** For an operation to end after what disturbed it: heartbeat time-outs, restarts, and a stop that is forced. */
const END_MS = 120_000;
const VERDICT_MS = 30_000;
const SPRING_MS = 60_000;
/** Those who have not come to their trap by then are not waited for. */
const PATIENCE_MS = 15_000;
/** The part of an activity's time, as Temporal measures it, in which it surely works. */
const INSIDE = 0.7;

/** One death of the worker, with one operation in each of the points. Points that were missed are given back. */
export async function dieAt(stage: Stage, scenario: Scenario, points: readonly Point[], report: Report): Promise<Point[]> {
  const members = await scenario.prepare(stage, points.length);
  const planned = points.map((point, i) => {
    const who = members[i] as Member;
    const operationId = randomUUID();
    const workflowId = stage.direct.workflowIdOf(scenario.kind, who, operationId);
    const trap: Trap = { workflowId, activity: point.activity, when: point.when, leadMs: stage.random.upTo(point.tookMs * INSIDE) };
    return { point, who, operationId, trap };
  });
  stage.traps.arm({ traps: planned.map(({ trap }) => trap), patienceMs: PATIENCE_MS });
  const startedAt = Date.now();
  const started = await Promise.all(planned.map(({ who, operationId }) => scenario.start(stage, who, operationId)));
  const hits = await waitFor('the death of the worker', () => stage.traps.hits(), { timeoutMs: SPRING_MS, intervalMs: 20 });
  const diedAt = Date.now();
  console.log(`  died after ${seconds(diedAt - startedAt)}`);
  const missed: Point[] = [];
  await Promise.all(
    planned.map(async ({ point, who, trap }, i) => {
      const hit = hits.some(({ workflowId, activity }) => workflowId === trap.workflowId && activity === trap.activity);
      if (!hit) missed.push(point);
      const row = hit ? rowOf(scenario, point) : `${scenario.name}: elsewhere`;
      report.add(await judge(stage, scenario, { row, who, started: started[i] as Started, since: diedAt }));
    }),
  );
  stage.traps.disarm();
  return missed;
}

export function rowOf(scenario: Scenario, { activity, when }: Point): string {
  return `${scenario.name}: ${when} ${activity}`;
}

/** What may happen while operations are under way. */
export interface Outage {
  readonly name: string;
  happen(stage: Stage): Promise<void>;
}

/** A part dies and comes back while some operations are under way. Those that had ended by then are told apart. */
export async function dieDuring(stage: Stage, scenario: Scenario, outage: Outage, options: RoundOptions): Promise<void> {
  const members = await scenario.prepare(stage, options.members);
  const started = await Promise.all(members.map((who) => scenario.start(stage, who, randomUUID())));
  const ended = new Set<Started>();
  for (const one of started) endOf(stage, one).then(() => ended.add(one));
  await sleep(stage.random.upTo(options.withinMs));
  const since = Date.now();
  const rows = started.map((one) => outageRow(scenario, outage, ended.has(one) ? 'after its end' : 'meanwhile'));
  await outage.happen(stage);
  const judged = members.map((who, i) => judge(stage, scenario, { row: rows[i] as string, who, started: started[i] as Started, since }));
  for (const run of await Promise.all(judged)) options.report.add(run);
}

export function outageRow(scenario: Scenario, outage: Outage, when: 'meanwhile' | 'after its end'): string {
  return `${scenario.name}: ${outage.name} dies ${when}`;
}

export interface RoundOptions {
  readonly members: number;
  /** How long so many operations at once take, about: the part dies within this. */
  readonly withinMs: number;
  readonly report: Report;
}

interface Disturbed {
  readonly row: string;
  readonly who: Member;
  readonly started: Started;
  readonly since: number;
}

/** Waits for the end of a disturbed operation and holds what is there against what the operation said. */
export async function judge(stage: Stage, scenario: Scenario, { row, who, started, since }: Disturbed): Promise<Run> {
  const outcome = await endOf(stage, started);
  const recoveryMs = Date.now() - since;
  const verdict = await stage.worlds.verdict(who.name, VERDICT_MS);
  const traces = verdict.is === 'nothing' && started.uid ? tracesOf(await stage.world(), started.uid) : [];
  // A creation may also fail, and then leave nothing; a delete may not.
  const allowed =
    outcome.is === scenario.result ? scenario.expected : outcome.is === 'failed' && scenario.kind === 'create' ? 'nothing' : undefined;
  const lacking = verdict.is === 'whole' ? ((await scenario.lacks?.(stage, who)) ?? []) : [];
  const problems = [
    ...(allowed === undefined ? [`the operation ${outcome.is}: ${'message' in outcome ? outcome.message : ''}`] : []),
    ...(allowed !== undefined && verdict.is !== allowed ? [`the operation ${outcome.is}, the webspace is ${verdict.is}`] : []),
    ...(scenario.kind === 'create' && verdict.is === 'whole' && verdict.uid !== started.uid ? ['the webspace is another one'] : []),
    ...verdict.problems,
    ...lacking,
    ...traces.map((trace) => `left: ${trace}`),
  ];
  if (problems.length === 0 && verdict.is === 'whole') stage.keep(scenario, who);
  return { row, name: started.workflowId, outcome, verdict, recoveryMs, wrong: problems.length > 0 ? problems.join('; ') : undefined };
}

async function endOf(stage: Stage, started: Started): Promise<Outcome | { is: 'no end'; message: string }> {
  try {
    return await stage.direct.outcome(started, END_MS);
  } catch (error) {
    return { is: 'no end', message: error instanceof Error ? error.message : String(error) };
  }
}
