import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { arrivals, type Visit } from '../support/arrivals.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import { Latencies } from '../support/latency.js';
import type { Member } from '../support/members.js';

const EVERY_MS = 20;
const PER_CYCLE = 100;
const CYCLES = times({ short: 2, full: 100 });
const UNPLANNED = times({ short: 2, full: 50 });
const MEDIAN_MS = 500;
const LONGEST_MS = 2_000;

let session: Session;
let member: Member;
beforeAll(async () => {
  session = await openSession();
  member = session.members.one(0);
  await session.members.running(member);
  // How long a container takes to listen is not what is looked at: on a busy machine now and then more than the usual 3 s.
  await session.members.expect(200, member, 'PATCH', '/config', { startupDelay: 30 });
}, 180_000);
afterAll(() => session?.close(), 120_000);

/** Its visitors in the order in which they came. */
interface Cycle {
  readonly visits: readonly Visit[];
}

async function isRunning(): Promise<boolean> {
  const { phase } = ((await session.cluster.find('webspace', member.webspace))?.['status'] ?? {}) as { phase?: string };
  return phase === 'running' && (await session.cluster.target(member.webspace)) === member.webspace;
}

/** Visitors all the time; a stop among them, and the boot that the next visitor causes. */
async function cycle(stop: () => Promise<unknown>): Promise<Cycle> {
  // The last cycle's visitors may all have come before its stop was seen.
  await session.members.served(member);
  await waitFor('the route to the container', isRunning, { timeoutMs: 20_000, intervalMs: 20 });
  let over = false;
  const coming = arrivals(session.lab, member, EVERY_MS, (come) => over && come >= PER_CYCLE);
  try {
    await stop();
  } finally {
    over = true;
  }
  return { visits: await coming };
}

/** Cycles, and a line about them. */
async function cycles(what: string, count: number, stop: () => Promise<unknown>): Promise<Cycle[]> {
  const all: Cycle[] = [];
  for (let n = 0; n < count; n++) all.push(await cycle(stop));
  const visits = all.flatMap((one) => one.visits);
  const longest = Math.max(...visits.map(({ tookMs }) => tookMs));
  const errors = errorsOf(all);
  report(what, `${visits.length} requests over ${count} cycles, ${errors.length} errors, the longest took ${longest} ms`);
  return all;
}

function errorsOf(all: readonly Cycle[]): Visit[] {
  return all.flatMap(({ visits }) => visits.filter(({ error }) => error !== undefined));
}

/** From the last visitor who was served before the stop to the last who was not: at least as long as from the stop itself. */
function errorWindowMs(visits: readonly Visit[]): number {
  const first = visits.findIndex(({ error }) => error !== undefined);
  const last = visits.findLast(({ error }) => error !== undefined);
  return last === undefined ? 0 : last.at - (visits[first - 1] ?? last).at;
}

/** How often the worker gave up waiting for visitors to be led away. */
function gaveUp(): number {
  const log = readFileSync(join(session.lab.profile.paths.logs, 'worker.log'), 'utf8');
  return log.split('stops although not all visitors are led away').length - 1;
}

describe('a planned stop', () => {
  it.each([
    ['shutdown', 'DELETE'],
    ['reboot', 'PUT'],
  ])(
    'is seen by nobody: %s',
    async (what, method) => {
      const count = what === 'shutdown' ? CYCLES : UNPLANNED;
      const before = gaveUp();
      const all = await cycles(what, count, () => session.members.expect(204, member, method, '/state'));
      expect(errorsOf(all).slice(0, 5)).toEqual([]);
      expect(gaveUp() - before).toBe(0);
    },
    1_200_000,
  );

  it('shows the member who booted the webspace', async () => {
    const answer = await session.lab.api({ id: member.id }, 'GET', '/v2/operations?kind=boot&limit=1');
    const { operations } = answer.json<{ operations: { id: string; webspace: string; requestedBy: unknown }[] }>();
    const host = `${member.username}.${session.lab.profile.baseDomain}`;
    const requestedBy = { subject: 'gateway/http', username: `a visitor of ${host}` };
    expect(operations).toMatchObject([{ webspace: member.webspace, requestedBy }]);
    const boot = await session.lab.api({ id: member.id }, 'GET', `/v2/operations/${operations[0]?.id}`);
    expect(boot.json<object>()).toMatchObject({ requestedBy, steps: [{ name: 'start' }, { name: 'ready' }, { name: 'settle' }] });
  });

  it('with TLS passed through waits for that route, too', async () => {
    const { members } = session;
    await waitFor('the route to the container', isRunning, { timeoutMs: 20_000, intervalMs: 20 });
    await members.expect(200, member, 'PATCH', '/config', { sniPassthrough: true });
    const before = gaveUp();
    const begun = performance.now();
    await members.expect(204, member, 'DELETE', '/state');
    report('a stop with passthrough', `${(performance.now() - begun).toFixed(0)} ms`);
    expect(gaveUp() - before).toBe(0);
    await members.expect(200, member, 'PATCH', '/config', { sniPassthrough: false });
    await members.served(member);
  }, 60_000);
});

describe('a stop that nobody planned', () => {
  // The command's own end says nothing: its container dies under it.
  const powerOff = () => session.lab.lxc(['exec', member.webspace, '--', 'kill', '-TERM', '1']).catch(() => undefined);
  it.each([
    ['stop --force', () => session.lab.lxc(['stop', '--force', member.webspace])],
    ['power-off inside', powerOff],
  ])(
    'costs errors only until the route has followed: %s',
    async (what, stop) => {
      const all = await cycles(what, UNPLANNED, stop);
      const windows = new Latencies();
      for (const { visits } of all) windows.add(what, errorWindowMs(visits));
      const { median, max } = windows.of(what);
      report(
        `${what}: from the last visitor served before the stop to the last with an error`,
        `median ${median.toFixed(0)} ms, longest ${max.toFixed(0)} ms`,
      );
      expect([median < MEDIAN_MS, max < LONGEST_MS]).toEqual([true, true]);
    },
    1_200_000,
  );
});
