import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { waitFor } from '#lab/wait.js';
import type { IdleStopResult } from '#libs/contracts/idle-stop.js';
import { IDLE_STOP_SCHEDULE_ID, TASK_QUEUE } from '#libs/contracts/ids.js';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

const AFTER_SECONDS = 3;
const QUIET_BYTES = 4_096;

let session: Session;
let connection: Connection;
let client: Client;
let rounds = 0;

beforeAll(async () => {
  session = await openSession();
  connection = await Connection.connect({ address: session.lab.temporalAddress });
  client = new Client({ connection });
}, 180_000);
afterAll(async () => {
  await session?.lab.process('worker').restart();
  await connection?.close();
  await session?.close();
}, 180_000);

/** A worker with the idle stop on; rounds only when they are asked for. */
function enable(): Promise<unknown> {
  const settings = { ENABLED: true, AFTER_SECONDS, EVERY_SECONDS: 86_400, QUIET_BYTES };
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`WEBSPACES__IDLE_STOP__${name}`, String(value)]));
  return session.lab.process('worker').restart({ env });
}

function round(): Promise<IdleStopResult> {
  const workflowId = `idle-stop-asked-by-test-${Date.now()}-${++rounds}`;
  return client.workflow.execute(WORKFLOW_TYPES.idleStop, { workflowId, taskQueue: TASK_QUEUE, args: [] });
}

function isScheduled(): Promise<boolean> {
  const handle = client.schedule.getHandle(IDLE_STOP_SCHEDULE_ID);
  return handle.describe().then(
    () => true,
    () => false,
  );
}

async function status({ webspace }: Member): Promise<{ phase?: string; lastUsed?: string }> {
  return ((await session.cluster.find('webspace', webspace))?.['status'] ?? {}) as { phase?: string; lastUsed?: string };
}

async function sent({ webspace }: Member): Promise<number> {
  type State = { network: { eth0: { counters: { bytes_sent: number } } } };
  return (await session.lab.stack.lxd.client.request<State>('GET', `/1.0/instances/${webspace}/state`)).network.eth0.counters.bytes_sent;
}

describe('the idle stop', () => {
  it('is off unless it is switched on', async () => {
    expect(await isScheduled()).toBe(false);
    await expect(round()).rejects.toThrow();
  }, 60_000);

  it('shuts down what nobody uses and nothing else, and says why in the webspace’s operations', async () => {
    const { lab, members } = session;
    const [idle, visited, kept, attended] = members.some(4) as [Member, Member, Member, Member];
    await members.running(idle, visited, kept, attended);
    await members.change(kept, { policy: { alwaysOn: true } });
    const view = await lab.api({ id: kept.id }, 'GET', `/v2/webspaces/${kept.webspace}`);
    expect(view.json<{ policy: unknown }>().policy).toEqual({ alwaysOn: true });
    const terminal = lab.lxc(['exec', attended.webspace, '--', 'sleep', '3600']).catch(() => 'ended with its container');
    await enable();
    await waitFor('the Schedule', isScheduled, { timeoutMs: 20_000 });

    expect(await round()).toEqual({ running: 3, used: 3, unread: 0, stopped: 0 });
    const begun = { at: Date.now(), bytes: await sent(idle) };
    const before = Date.parse((await status(visited)).lastUsed ?? '');
    let chatter = 0;
    const stopped = async () => {
      for (let visit = 0; visit < 20; visit++) await lab.visit(visited.username, '/');
      chatter = (await sent(idle)) - begun.bytes;
      return (await round()).stopped === 1;
    };
    await waitFor('a round that stops one', stopped, { timeoutMs: 60_000, intervalMs: 500 });
    report('idle', `stopped ${((Date.now() - begun.at) / 1000).toFixed(1)} s after its last use; it had sent ${chatter} bytes by itself`);

    expect((await status(idle)).phase).toBe('stopped');
    for (const member of [visited, kept, attended])
      expect([member.webspace, (await status(member)).phase]).toEqual([member.webspace, 'running']);
    expect(Date.parse((await status(visited)).lastUsed ?? '')).toBeGreaterThan(before);
    const { operations } = (await lab.api({ id: idle.id }, 'GET', '/v2/operations?kind=shutdown')).json<{
      operations: { status: string; webspace: string; requestedBy: { subject: string; username: string } }[];
    }>();
    // The account's earlier ones are other tests'.
    const [last, ...others] = operations.filter(({ requestedBy }) => requestedBy.subject === 'idle-stop');
    expect(others).toEqual([]);
    expect(last).toMatchObject({ status: 'completed', webspace: idle.webspace });
    expect(last?.requestedBy.username).toMatch(/^idle stop: no traffic for \d+ seconds$/);
    await lab.lxc(['stop', '--force', attended.webspace]);
    await terminal;
  }, 240_000);

  it('leaves alone what it has never seen before, also after its memory was lost', async () => {
    const { cluster, members } = session;
    const [fresh] = members.some(1, 6) as [Member];
    await members.running(fresh);
    await round();
    expect((await status(fresh)).phase).toBe('running');
    await cluster.remove('configMap', 'webspaces-use');
    expect((await round()).stopped).toBe(0);
    expect((await status(fresh)).phase).toBe('running');
  }, 120_000);

  it('a Schedule goes with the setting', async () => {
    await session.lab.process('worker').restart();
    await waitFor('no Schedule', async () => !(await isScheduled()), { timeoutMs: 20_000 });
  }, 60_000);
});
