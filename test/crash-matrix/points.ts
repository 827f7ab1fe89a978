import { randomUUID } from 'node:crypto';
import type { Scenario } from './scenarios.js';
import type { Stage } from './stage.js';
import { WHENS, type When } from './traps.js';

/** A place where the worker may die. */
export interface Point {
  readonly activity: string;
  readonly when: When;
  /** How long the activity took when nothing disturbed it. */
  readonly tookMs: number;
}

interface HistoryEvent {
  readonly eventId?: unknown;
  readonly eventTime?: { readonly seconds?: unknown; readonly nanos?: number | null } | null;
  readonly activityTaskScheduledEventAttributes?: { readonly activityType?: { readonly name?: string | null } | null } | null;
  readonly activityTaskCompletedEventAttributes?: { readonly scheduledEventId?: unknown } | null;
  readonly activityTaskFailedEventAttributes?: object | null;
}

/** Every activity that the scenario runs, from the history of one undisturbed run; so a new activity is covered by itself. */
export async function pointsOf(stage: Stage, scenario: Scenario): Promise<Point[]> {
  const [who] = await scenario.prepare(stage, 1);
  if (!who) throw new Error(`${scenario.name}: nobody to run it for`);
  const started = await scenario.start(stage, who, randomUUID());
  const outcome = await stage.direct.outcome(started, 60_000);
  if (outcome.is !== scenario.result) throw new Error(`${scenario.name}, undisturbed: ${JSON.stringify(outcome)}`);
  const verdict = await stage.worlds.verdict(who.name, 20_000);
  if (verdict.is !== scenario.expected) throw new Error(`${scenario.name}, undisturbed: ${verdict.is} ${verdict.problems.join('; ')}`);
  stage.keep(scenario, who);
  const { events } = await stage.direct.client.workflow.getHandle(started.workflowId, started.runId).fetchHistory();
  const took = durations((events ?? []) as HistoryEvent[], scenario.undoOnly);
  return [...took].flatMap(([activity, tookMs]) => WHENS.map((when) => ({ activity, when, tookMs })));
}

function durations(events: readonly HistoryEvent[], afterFailure: boolean): Map<string, number> {
  const begin = afterFailure ? events.findIndex((event) => event.activityTaskFailedEventAttributes) + 1 : 0;
  const scheduled = new Map<string, { name: string; at: number }>();
  const took = new Map<string, number>();
  for (const event of events.slice(begin)) {
    const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (name) scheduled.set(String(event.eventId), { name, at: timeOf(event) });
    const of = event.activityTaskCompletedEventAttributes && String(event.activityTaskCompletedEventAttributes.scheduledEventId);
    const begun = of ? scheduled.get(of) : undefined;
    if (begun) took.set(begun.name, timeOf(event) - begun.at);
  }
  return took;
}

function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + Number(eventTime?.nanos ?? 0) / 1e6;
}
