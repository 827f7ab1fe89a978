import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { projectRoot } from '#lab/project.js';
import { type ApiBeside, startApiBeside } from '../support/api-beside.js';
import { FULL, openSession, report, type Session, times } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';
import { StreamClient } from '../support/stream-client.js';
import { Streams } from '../support/streams.js';

const OUTPUT_BYTES = 100 * 1024 * 1024;
const MAY_GROW_MB = 96;
/** LXD 5.0 itself may hang when many terminals end at once, and with it every test after this one. */
const STREAMS = times({ short: 6, full: 200 });
const GONE_WITHIN_MS = 5_000;

let session: Session;
let streams: Streams;
let member: Member;
/** The API with short pings, and an idle limit. */
let impatient: ApiBeside;

beforeAll(async () => {
  session = await openSession();
  streams = new Streams(session);
  member = session.members.one(0);
  await session.members.running(member);
  impatient = await startApiBeside(session.lab, { streams: { pingSeconds: 0.5, idleSeconds: 6 } });
}, 240_000);
afterAll(async () => {
  await impatient?.close();
  // LXD 5.0 keeps commands whose terminals ended at the same moment as others', and works no longer on their instances.
  await session?.lab.process('lxd').restart();
  await session?.close();
}, 180_000);

/** A client in a process of its own, which is told nothing when it dies. */
function clientProcess(url: string, command: readonly string[], input = 0) {
  const start = JSON.stringify({ command, width: 80, height: 24 });
  const code = `
    import { WebSocket } from 'ws';
    const socket = new WebSocket(${JSON.stringify(url.replace(/^http/, 'ws'))}, { headers: ${JSON.stringify(streams.headers(member))} });
    socket.on('open', () => { socket.send(${JSON.stringify(start)}); for (let sent = 0; sent < ${input}; sent += 50_000) socket.send(Buffer.alloc(50_000, 'x')); });`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: projectRoot(), stdio: 'inherit' });
}

describe('a client that goes takes its command with it', () => {
  it.each([
    ['a command', ['sleep', '4801'], 'sleep 4801', 0],
    ['what a shell has begun', ['sh', '-c', 'sleep 4802 & sleep 4803; echo'], 'sleep 480', 0],
    ['a job in the background of an interactive shell', ['sh', '-ic', 'sleep 4804 & sleep 4805'], 'sleep 480', 0],
    ['a command that reads nothing of much input', ['sh', '-c', 'stty raw; exec sleep 4806'], 'sleep 4806', 3_000_000],
  ])(
    'killed with -9: %s',
    async (_what, command, text, input) => {
      const client = clientProcess(streams.url('exec'), command, input);
      await streams.running(member, text);
      client.kill('SIGKILL');
      report('nothing runs any more', `after ${await streams.gone(member, text, GONE_WITHIN_MS)} ms`);
    },
    60_000,
  );

  it('what ignores the hang-up stays, as with nohup', async () => {
    const client = clientProcess(streams.url('exec'), ['sh', '-c', '(trap "" HUP; exec sleep 4807) & sleep 4808; echo']);
    await streams.running(member, 'sleep 4807');
    await streams.running(member, 'sleep 4808');
    client.kill('SIGKILL');
    await streams.gone(member, 'sleep 4808', GONE_WITHIN_MS);
    expect(await streams.inside(member, 'sleep 4807')).not.toEqual([]);
    await session.members.expect(200, member, 'POST', '/exec', { command: 'kill -9 $(pidof sleep)' });
  }, 60_000);

  it('cut off without a word: found by ping', async () => {
    const cut = await cuttable(impatient.url);
    const client = await streams.exec(member, { command: ['sleep', '4809'] }, cut.url);
    await streams.running(member, 'sleep 4809');
    cut.cut();
    report('nothing runs any more', `after ${await streams.gone(member, 'sleep 4809', GONE_WITHIN_MS)} ms`);
    client.socket.terminate();
    await cut.close();
  }, 60_000);

  it('an API that is killed with -9 leaves nothing either', async () => {
    const client = await streams.exec(member, { command: ['sleep', '4810'] });
    await streams.running(member, 'sleep 4810');
    await session.lab.process('api').kill('SIGKILL');
    try {
      await streams.gone(member, 'sleep 4810', GONE_WITHIN_MS);
    } finally {
      await session.lab.process('api').start();
    }
    expect((await client.closed).code).toBe(1006);
  }, 90_000);

  it('one that waits for an answer, too', async () => {
    const gone = new AbortController();
    const init = {
      method: 'POST',
      headers: streams.headers(member),
      body: JSON.stringify({ command: 'sleep 4811; echo' }),
      signal: gone.signal,
    };
    const answer = fetch(streams.url('exec'), init).catch(() => 'aborted');
    await streams.running(member, 'sleep 4811');
    gone.abort();
    expect(await answer).toBe('aborted');
    await streams.gone(member, 'sleep 4811', GONE_WITHIN_MS);
  }, 60_000);
});

describe('a stream is ended', () => {
  it('when nothing moves on it, and its command with it; pings do not count', async () => {
    const client = await streams.exec(member, { command: ['sleep', '4812'] }, impatient.url);
    expect(await client.closed).toMatchObject({ code: 1011, reason: expect.stringContaining('6 s') });
    await streams.gone(member, 'sleep 4812', GONE_WITHIN_MS);
  }, 60_000);

  it('cleanly when the API stops', async () => {
    const client = await streams.exec(member, { command: ['sleep', '4813'] }, impatient.url);
    await streams.running(member, 'sleep 4813');
    await impatient.process.restart();
    expect((await client.closed).code).toBe(1001);
    expect(await streams.inside(member, 'sleep 4813')).toEqual([]);
  }, 60_000);

  it('when a message is too large', async () => {
    const client = await streams.exec(member, { command: ['sleep', '4814'] });
    await streams.running(member, 'sleep 4814');
    client.socket.send(Buffer.alloc(2 * 1024 * 1024));
    expect((await client.closed).code).toBe(1009);
    await streams.gone(member, 'sleep 4814', GONE_WITHIN_MS);
  }, 60_000);
});

describe('much output', () => {
  it('arrives whole and in order at a reader that pauses, and the API does not grow', async () => {
    const made = await streams.run(member, {
      command: ['sh', '-c', `head -c ${OUTPUT_BYTES} /dev/urandom > /root/large; sha256sum < /root/large`],
      timeoutSeconds: 120,
    });
    const [expected] = made.json<{ stdout: string }>().stdout.split(' ');
    const before = streams.apiMemory();
    let [peak, received, pauses] = [before, 0, 0];
    const sampling = setInterval(() => {
      peak = Math.max(peak, streams.apiMemory());
    }, 50);
    const hash = createHash('sha256');
    const client = await streams.exec(member, { command: ['sh', '-c', 'stty -opost; exec cat /root/large'] });
    const begun = Date.now();
    client.onData = (data) => {
      hash.update(data);
      received += data.length;
      if (received < (pauses + 1) * 0.3 * OUTPUT_BYTES) return;
      pauses++;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 1_500);
    };
    const closed = await client.closed;
    clearInterval(sampling);
    report(
      '100 MB',
      `in ${Date.now() - begun} ms with ${pauses} pauses; API ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most`,
    );
    expect([closed, received, hash.digest('hex')]).toEqual([{ code: 1000, reason: '0' }, OUTPUT_BYTES, expected]);
    expect(pauses).toBe(3);
    expect(peak - before).toBeLessThan(MAY_GROW_MB);
  }, 240_000);

  it('of a slow reader stops the writer', async () => {
    const client = await streams.exec(member, { command: ['sh', '-c', 'stty -opost; exec cat /root/large'] });
    await new Promise((resolve) => client.socket.once('message', resolve));
    client.socket.pause();
    const progress = async () =>
      (await streams.run(member, { command: ['sh', '-c', 'cat /proc/$(pidof cat)/io | grep rchar'] })).json<{ stdout: string }>().stdout;
    let [last, now] = ['', await progress()];
    const endsAt = Date.now() + 20_000;
    while (now !== last && Date.now() < endsAt) [last, now] = [now, await progress()];
    expect(now).toBe(last);
    expect(Number(/\d+/.exec(now)?.[0])).toBeLessThan(OUTPUT_BYTES / 4);
    client.socket.terminate();
    await streams.gone(member, 'cat /root/large', GONE_WITHIN_MS);
  }, 60_000);
});

describe('many streams', () => {
  const webspaces = times({ short: 2, full: 50 });

  it(
    `${STREAMS} at once, each answers`,
    async () => {
      const members = session.members.some(webspaces);
      await session.members.running(...members.filter(({ id }) => id !== member.id));
      const before = streams.apiMemory();
      const begun = Date.now();
      const consoles = await Promise.all(members.map((each) => streams.console(each)));
      const shells: StreamClient[] = [];
      const owners = Array.from({ length: STREAMS - webspaces }, (_, i) => members[i % webspaces] as Member);
      await inTurns(owners, 10, async (owner) => {
        const client = await streams.exec(owner, { command: ['sh', '-c', 'while read -r line; do echo "<$line>"; done'] });
        shells.push(client);
        client.type('ready\n');
        await client.shows(/<ready>/, 60_000);
      });
      await Promise.all(consoles.map((client) => streams.answers(client, 'echo $((60 + 7))', /67/)));
      report(`${STREAMS} streams`, `open after ${Date.now() - begun} ms, API ${before.toFixed(0)} → ${streams.apiMemory().toFixed(0)} MB`);
      const all = [...consoles, ...shells];
      expect(all.map(({ socket }) => socket.readyState)).toEqual(Array(STREAMS).fill(1));
      await Promise.all(
        shells.map(async (client, i) => {
          client.type(`line ${i}\n`);
          await client.shows(new RegExp(`<line ${i}>`), 60_000);
        }),
      );
      await inTurns(all, times({ short: 1, full: 10 }), async (client) => {
        client.socket.close(1000);
        await client.closed;
      });
      const took = await Promise.all(members.map((each) => streams.gone(each, 'while read', FULL ? 300_000 : 60_000)));
      report(`${STREAMS} streams`, `nothing of them runs any more after ${Math.max(...took)} ms`);
    },
    FULL ? 900_000 : 300_000,
  );
});

/** A way to the API that can be cut without either end being told. */
async function cuttable(api: string): Promise<{ url: string; cut(): void; close(): Promise<void> }> {
  const sockets: Socket[] = [];
  const { hostname, port } = new URL(api);
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    sockets.push(client, upstream);
    client
      .on('error', () => undefined)
      .pipe(upstream.on('error', () => undefined))
      .pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
