import { waitFor } from '#lab/wait.js';
import { STARTED_UPDATE } from '#libs/contracts/operations.js';
import type { Asked, Member } from './members.js';
import type { Options, Storage } from './options.js';
import { atMostMore, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';
import { summaryOf, wallClock } from './statistics.js';
import { Timeline } from './timeline.js';
import { Visitor } from './visitor.js';

const ANSWER_MAY_ADD_MS = 60;
const SITE_MAY_ADD_MS = 400;
const WARM_UP = 2;

/** Boots of one webspace, and starts of an instance by LXD alone, in turns. */
export async function benchBoot(stage: Stage, options: Options, storage: Storage, report: Report): Promise<void> {
  const member = stage.members.fresh();
  const visitor = new Visitor(stage, member);
  const name = stage.raw.nextName();
  await stage.raw.create(name);
  await stage.members.ended(await stage.members.create(member));
  const times = { raw: [] as number[], answered: [] as number[], served: [] as number[] };
  const timeline = new Timeline(stage.temporal, STARTED_UPDATE);
  for (let i = -WARM_UP; i < options.count; i++) {
    const raw = await stage.raw.change(name, 'start');
    await stage.raw.change(name, 'stop');
    const { asked, servedMs } = await boot(stage, member, visitor);
    if (i < 0) continue;
    await timeline.add(asked);
    times.raw.push(raw);
    times.answered.push(asked.ms);
    times.served.push(servedMs);
  }
  await visitor.close();
  await stage.members.delete(member);
  await stage.raw.remove(name);
  const raw = summaryOf(times.raw).median;
  const line = (what: string, values: readonly number[]): Line => {
    const { median, p95, count } = summaryOf(values);
    return { what, value: median, unit: 'ms', count, p95 };
  };
  const answered = line('POST …/state answered', times.answered);
  const served = line('first answer of the site through Traefik', times.served);
  const title = `boot, Temporal's database ${storage === 'file' ? 'in a file' : 'in memory'}`;
  report(title, [
    line('LXD alone', times.raw),
    { ...answered, ...atMostMore({ value: answered.value, raw, ms: ANSWER_MAY_ADD_MS }) },
    { ...served, ...atMostMore({ value: served.value, raw, ms: SITE_MAY_ADD_MS }) },
  ]);
  report(`${title}: where the time goes`, timeline.lines());
}

async function boot(stage: Stage, member: Member, visitor: Visitor): Promise<{ asked: Asked; servedMs: number }> {
  const begun = wallClock();
  const asked = await stage.members.boot(member);
  // Not before: a visitor of a webspace that is off boots it.
  const servedAt = await visitor.served();
  await stage.members.ended(asked);
  await stage.members.ask(204, member, 'DELETE', '/state');
  await waitFor('the route to the gateway', async () => (await stage.cluster.target(member.webspace)) !== member.webspace, {
    timeoutMs: 20_000,
  });
  return { asked, servedMs: servedAt - begun };
}
