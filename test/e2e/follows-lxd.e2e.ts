import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { GATEWAY_SERVICE } from '#libs/contracts/webspaces-api.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import { Latencies } from '../support/latency.js';
import { inTurns, type Member } from '../support/members.js';
import { startProxiedWorker } from '../support/proxied-worker.js';

const MEDIAN_MS = 500;
const LONGEST_MS = 2_000;

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

/** Until the `Webspace` and its route say so; gives how long it took from now. */
async function until(member: Member, phase: string): Promise<number> {
  const { cluster } = session;
  const target = phase === 'running' ? member.webspace : GATEWAY_SERVICE;
  const begun = performance.now();
  // A restart is seen by the time of its start only: phase and route are the same before and after.
  const { last_used_at } = await session.lab.stack.lxd.client.request<{ last_used_at: string }>('GET', `/1.0/instances/${member.webspace}`);
  const right = async () => {
    const [webspace, led] = await Promise.all([cluster.find('webspace', member.webspace), cluster.target(member.webspace)]);
    const status = webspace?.['status'] as { phase?: string; lastUsed?: string } | undefined;
    return status?.phase === phase && status.lastUsed === last_used_at && led === target;
  };
  await waitFor(`${member.webspace} ${phase}`, right, { timeoutMs: 10_000, intervalMs: 5 });
  return performance.now() - begun;
}

async function lxdSays(member: Member, status: string): Promise<void> {
  const path = `/1.0/instances/${member.webspace}`;
  const same = async () => (await session.lab.stack.lxd.client.request<{ status: string }>('GET', path)).status === status;
  await waitFor(`LXD: ${member.webspace} ${status}`, same, { timeoutMs: 20_000, intervalMs: 5 });
}

function expectQuick(latencies: Latencies): void {
  for (const what of latencies.kinds) {
    const { count, median, max } = latencies.of(what);
    report(what.padEnd(20), `median ${median.toFixed(0)} ms, longest ${max.toFixed(0)} ms (${count} times)`);
  }
  for (const what of latencies.kinds) {
    const { median, max } = latencies.of(what);
    expect([what, median < MEDIAN_MS, max < LONGEST_MS]).toEqual([what, true, true]);
  }
}

describe('row 37: what is done to a container behind our back', () => {
  it('shows in its Webspace and its route: start, stop, restart, pause, power-off', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    const latencies = new Latencies();
    await members.create(member);
    await until(member, 'stopped');
    const change = async (what: string, args: readonly string[], phase: string) => {
      // Right after a stop LXD's own clean-up may still hold the instance.
      await waitFor(what, async () => (await lab.lxc(args)) !== undefined, { timeoutMs: 10_000 });
      latencies.add(what, await until(member, phase));
    };
    for (let round = 0; round < times({ short: 2, full: 20 }); round++) {
      await change('lxc start', ['start', member.webspace], 'running');
      await change('lxc stop', ['stop', member.webspace], 'stopped');
      await change('lxc start', ['start', member.webspace], 'running');
      await change('lxc restart', ['restart', member.webspace], 'running');
      await change('lxc pause', ['pause', member.webspace], 'paused');
      await change('lxc start (paused)', ['start', member.webspace], 'running');
      await change('lxc stop --force', ['stop', '--force', member.webspace], 'stopped');
      await change('lxc start', ['start', member.webspace], 'running');
      await members.served(member);
      // The command's own end says nothing: its container dies under it.
      await lab.lxc(['exec', member.webspace, '--', 'kill', '-TERM', '1']).catch(() => undefined);
      await lxdSays(member, 'Stopped');
      latencies.add('power-off inside', await until(member, 'stopped'));
    }
    expectQuick(latencies);
  }, 400_000);

  it('takes everything of it away after lxc delete', async () => {
    const { cluster, lab, members } = session;
    const latencies = new Latencies();
    for (const member of members.some(times({ short: 2, full: 20 }), 10)) {
      await members.create(member);
      await until(member, 'stopped');
      await lab.lxc(['delete', '--force', member.webspace]);
      const begun = performance.now();
      const gone = async () => !(await cluster.has('webspace', member.webspace)) && !(await cluster.has('ingressRoute', member.webspace));
      await waitFor(`nothing of ${member.webspace}`, gone, { timeoutMs: 10_000, intervalMs: 5 });
      latencies.add('lxc delete', performance.now() - begun);
      await waitFor('its claims to be free', async () => (await members.leftOf(member)).length === 0, {
        timeoutMs: 10_000,
      });
    }
    expectQuick(latencies);
  }, 200_000);
});

describe('row 38: what happened while the stream of LXD events was cut', () => {
  it('is put right within one sweep, and no route of an unaffected webspace is touched', async () => {
    const { cluster, lab, members, sweeps } = session;
    const [stopped, started, paused, deleted, ...unaffected] = members.some(8, 40) as [Member, Member, Member, Member, ...Member[]];
    const worker = await startProxiedWorker(lab);
    try {
      await members.running(stopped, paused, deleted, ...unaffected);
      await members.create(started);
      await worker.events(true);
      await sweeps.run();
      const before = await cluster.versions(unaffected.map(({ webspace }) => webspace));
      const mend = worker.proxy.cutEvents();
      await worker.events(false);

      await inTurns(
        [
          ['stop', '--force', stopped.webspace],
          ['start', started.webspace],
          ['pause', paused.webspace],
          ['delete', '--force', deleted.webspace],
        ],
        2,
        async (args) => void (await lab.lxc(args)),
      );
      expect(await cluster.phase(stopped.webspace)).toBe('running');
      const begun = performance.now();
      const result = await sweeps.run();
      report('sweep after a cut', `${(performance.now() - begun).toFixed(0)} ms, ${JSON.stringify(result)}`);

      await Promise.all(
        [until(stopped, 'stopped'), until(started, 'running'), until(paused, 'paused')].map(async (took) =>
          expect(await took).toBeLessThan(1_000),
        ),
      );
      expect(await members.leftOf(deleted)).toEqual([]);
      await members.served(started);
      mend();
      await worker.events(true);
      await sweeps.quiet();
      expect(await cluster.versions(unaffected.map(({ webspace }) => webspace))).toEqual(before);
    } finally {
      await worker.close();
    }
  }, 200_000);
});
