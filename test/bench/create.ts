import { CREATED_UPDATE } from '#libs/contracts/operations.js';
import type { Asked, Member } from './members.js';
import type { Options, Storage } from './options.js';
import { atMostMore, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';
import { summaryOf } from './statistics.js';
import { Timeline } from './timeline.js';

/** What the platform may add to LXD's own time at concurrency 1; the original adds 54 ms and keeps nothing. */
const MAY_ADD_MS = { file: 110, memory: 60 } as const;
const WARM_UP = 3;

/** Creates one after the other, LXD alone and the platform in turns. Gives the platform's line. */
export async function benchCreate(
  stage: Stage,
  options: Options,
  where: { storage: Storage; existing: number },
  report: Report,
): Promise<Line> {
  const raw: number[] = [];
  const ours: number[] = [];
  const timeline = new Timeline(stage.temporal, CREATED_UPDATE);
  for (let i = -WARM_UP; i < options.count; i++) {
    const turns = [
      async () => {
        const ms = await rawCreate(stage);
        if (i >= 0) raw.push(ms);
      },
      async () => {
        const one = await apiCreate(stage, stage.members.fresh());
        if (i < 0) return;
        ours.push(one.ms);
        await timeline.add(one);
      },
    ];
    // Who comes first alternates as well.
    for (const turn of i % 2 === 0 ? turns : turns.reverse()) await turn();
  }
  const platform = summaryOf(ours);
  const theirs = summaryOf(raw);
  const title = `create, Temporal's database ${where.storage === 'file' ? 'in a file' : 'in memory'}, ${where.existing} existing`;
  const line: Line = {
    what: 'POST /v1/webspace/{user}',
    value: platform.median,
    unit: 'ms',
    count: platform.count,
    p95: platform.p95,
    ...atMostMore({ value: platform.median, raw: theirs.median, ms: MAY_ADD_MS[where.storage] }),
  };
  const rawLine: Line = { what: 'LXD alone', value: theirs.median, unit: 'ms', count: theirs.count, p95: theirs.p95 };
  report(`${title}: one at a time`, [rawLine, line]);
  report(`${title}: where the time goes`, timeline.lines());
  return line;
}

async function rawCreate(stage: Stage): Promise<number> {
  const name = stage.raw.nextName();
  const ms = await stage.raw.create(name);
  await stage.raw.remove(name);
  return ms;
}

/** Looks back only when nothing of it is under way any more, so that the next one is alone. */
async function apiCreate(stage: Stage, member: Member): Promise<Asked> {
  const asked = await stage.members.create(member);
  await stage.members.ended(asked);
  await stage.members.delete(member);
  return asked;
}
