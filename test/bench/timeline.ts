import type { Client } from '@temporalio/client';
import { type Asked, workflowOf } from './members.js';
import type { Line } from './results.js';
import { median } from './statistics.js';

type History = NonNullable<Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']>;
type HistoryEvent = History[number];

/** Something between a request and the end of its workflow, in milliseconds after the request was sent. */
interface Span {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** Where the time of requests went, by Temporal's histories of their workflows: medians of each step. */
export class Timeline {
  readonly #spans = new Map<string, Span[]>();

  constructor(
    private readonly temporal: Client,
    /** The update that answers the request. */
    private readonly update: string,
  ) {}

  /** To be called before the next workflow of the same id is started. */
  async add(asked: Asked): Promise<void> {
    const { workflowId, runId } = workflowOf(asked);
    const { events } = await this.temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const span of spansOf(events ?? [], asked, this.update)) {
      this.#spans.set(span.what, [...(this.#spans.get(span.what) ?? []), span]);
    }
  }

  /** In the order in which they begin. */
  lines(): Line[] {
    return [...this.#spans]
      .map(([what, all]) => ({
        what,
        at: median(all.map(({ from }) => from)),
        value: median(all.map(({ from, to }) => to - from)),
        unit: 'ms' as const,
        count: all.length,
      }))
      .sort((a, b) => a.at - b.at);
  }
}

function spansOf(events: History, { begun, ended }: Asked, update: string): Span[] {
  const at = (event: HistoryEvent | undefined) => millisecondsOf(event) - begun;
  const byId = (id: unknown) => events.find(({ eventId }) => String(eventId) === String(id));
  const spans: Span[] = [{ what: 'API and Temporal until the workflow is started', from: 0, to: at(events[0]) }];
  let trigger = 'start';
  for (const event of events) {
    const activity = event.activityTaskCompletedEventAttributes;
    if (activity) {
      const scheduled = byId(activity.scheduledEventId);
      const started = byId(activity.startedEventId);
      const name = scheduled?.activityTaskScheduledEventAttributes?.activityType?.name ?? 'activity';
      spans.push({ what: `${name}: waits for the worker`, from: at(scheduled), to: at(started) });
      spans.push({ what: `${name}: runs`, from: at(started), to: at(event) });
      trigger = name;
    }
    const task = event.workflowTaskCompletedEventAttributes;
    if (task) {
      spans.push({
        what: `workflow task after ${trigger}: waits`,
        from: at(byId(task.scheduledEventId)),
        to: at(byId(task.startedEventId)),
      });
      spans.push({ what: `workflow task after ${trigger}: runs`, from: at(byId(task.startedEventId)), to: at(event) });
    }
    if (event.workflowExecutionUpdateCompletedEventAttributes) {
      spans.push({ what: `update "${update}" is on its way back`, from: at(event), to: ended - begun });
    }
  }
  spans.push({ what: 'the whole request', from: 0, to: ended - begun });
  spans.push({ what: 'the whole workflow', from: at(events[0]), to: at(events.at(-1)) });
  return spans;
}

function millisecondsOf(event: HistoryEvent | undefined): number {
  const { seconds, nanos } = event?.eventTime ?? {};
  return Number(seconds) * 1000 + Number(nanos) / 1e6;
}
