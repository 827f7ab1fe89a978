import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { Refused, StreamClient } from '../support/stream-client.js';
import { Streams } from '../support/streams.js';

interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

let session: Session;
let streams: Streams;
let member: Member;

beforeAll(async () => {
  session = await openSession();
  streams = new Streams(session);
  member = session.members.one(0);
  await session.members.running(member);
}, 240_000);
afterAll(() => session?.close(), 120_000);

const shell = (command: string) => session.members.expect(200, member, 'POST', '/exec', { command });

describe('console', () => {
  // LXD 5.0 may panic when a container ends with its console attached ("concurrent write to websocket connection"); a service manager starts it again.
  afterEach(() => session.lab.up(), 60_000);

  it('29: attaches with a size, takes input, follows a resize, and ends with 1000 when the webspace does', async () => {
    const client = await streams.console(member, { width: 91, height: 31 });
    await streams.answers(client, 'stty size', /31 91/);
    client.say({ width: 101, height: 41 });
    await streams.answers(client, 'stty size', /41 101/);
    await session.members.expect(204, member, 'DELETE', '/state');
    expect(await client.closed).toEqual({ code: 1000, reason: 'Stream shutting down' });
  }, 120_000);

  it('boots a stopped webspace; a client that detaches leaves the console to the next', async () => {
    const first = await streams.console(member);
    await streams.answers(first, 'echo $((40 + 2))', /42/);
    const second = await streams.console(member);
    expect(await second.closed).toMatchObject({ code: 1011, reason: expect.stringContaining('in use') });
    first.socket.close(1000);
    expect((await first.closed).code).toBe(1000);
    const attached = async () => {
      const third = await streams.console(member);
      const outcome = await Promise.race([third.closed, streams.answers(third, 'echo $((50 + 3))', /53/)]);
      third.socket.close();
      return outcome === undefined;
    };
    await waitFor('the console to be free', attached, { timeoutMs: 30_000, intervalMs: 200 });
  }, 120_000);
});

describe('exec in a terminal', () => {
  it.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -INT $$', 130],
    ['exit 127', 127],
  ])('30: "%s" ends with %i as the reason', async (script, code) => {
    const client = await streams.exec(member, { command: ['sh', '-c', `echo before; ${script}`] });
    expect(await client.closed).toEqual({ code: 1000, reason: String(code) });
    expect(client.output).toBe('before\r\n');
  });

  it('30: environment, directory, user and group are as asked for', async () => {
    const script = 'echo "$GREETING|$TERM|$(pwd)|$(id -u)|$(id -g)"';
    const client = await streams.exec(member, {
      command: ['sh', '-c', script],
      environment: { GREETING: 'ö "quoted" $x', TERM: 'vt220' },
      user: 1000,
      group: 1001,
      workingDirectory: '/tmp',
    });
    await client.closed;
    expect(client.output).toBe('ö "quoted" $x|vt220|/tmp|1000|1001\r\n');
  });

  it('30: a signal ends the command, as ^C does', async () => {
    const signalled = await streams.exec(member, { command: ['sleep', '4711'] });
    await streams.running(member, 'sleep 4711');
    signalled.say({ signal: 2 });
    expect(await signalled.closed).toEqual({ code: 1000, reason: '130' });
    const interrupted = await streams.exec(member, { command: ['sleep', '4712'] });
    await streams.running(member, 'sleep 4712');
    interrupted.type('\u0003');
    expect(await interrupted.closed).toEqual({ code: 1000, reason: '130' });
  }, 60_000);

  it('the terminal has the size of the first message, then of each resize; zeros change nothing', async () => {
    const client = await streams.exec(member, { command: ['sh'] });
    client.type('stty size\n');
    await client.shows(/24 80/);
    client.say({ resize: { width: 0, height: 0 }, signal: 0 });
    client.say({ resize: { width: 132, height: 43 } });
    // LXD takes sizes and input by sockets of their own: it may read what was typed first.
    await streams.answers(client, 'stty size', /43 132/);
    client.type('exit 5\n');
    expect(await client.closed).toEqual({ code: 1000, reason: '5' });
  }, 60_000);

  it('boots a stopped webspace', async () => {
    await session.members.expect(204, member, 'DELETE', '/state');
    const client = await streams.exec(member, { command: ['hostname'] });
    expect(await client.closed).toEqual({ code: 1000, reason: '0' });
    expect(client.output.trim()).toBe(member.webspace);
  }, 60_000);

  it('short commands keep all of their output', async () => {
    const lost: string[] = [];
    for (let round = 0; round < 30; round++) {
      const client = await streams.exec(member, { command: ['echo', `round ${round}`] });
      const { code, reason } = await client.closed;
      const seen = [client.output, code, reason];
      if (seen.join() !== `round ${round}\r\n,1000,0`) lost.push(JSON.stringify(seen));
    }
    expect(lost).toEqual([]);
  }, 60_000);

  it('what cannot be is told with 1011, cut to 123 bytes of whole characters', async () => {
    const client = await streams.exec(member, { command: [] });
    expect(await client.closed).toMatchObject({ code: 1011, reason: expect.stringContaining('command') });
    const long = await StreamClient.open(streams.url('exec'), { headers: streams.headers(member) });
    long.say({ command: ['sh'], user: 'ü', group: 'ü', width: -1, height: -1, environment: 7, workingDirectory: 7 });
    const { code, reason } = await long.closed;
    expect([code, reason.endsWith('…')]).toEqual([1011, true]);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    expect(reason).not.toContain('\ufffd');
  });
});

describe('exec that is waited for', () => {
  it('31: stdout, stderr and exit code are apart; a stopped webspace is booted', async () => {
    await session.members.expect(204, member, 'DELETE', '/state');
    const answer = await shell('printf \'a  b\\n\'; echo "$HOME" >&2; exit 3');
    expect(answer.json<Result>()).toEqual({ stdout: 'a  b\n', stderr: '/root\n', exitCode: 3 });
    expect((await shell('no-such-command')).json<Result>()).toMatchObject({ exitCode: 127 });
  }, 60_000);

  it('31: large output is complete, and too large a one refused', async () => {
    const large = (await shell('seq 1 500000')).json<Result>();
    expect(large.stdout).toBe(Array.from({ length: 500_000 }, (_, i) => `${i + 1}\n`).join(''));
    const refused = await session.members.expect(400, member, 'POST', '/exec', { command: 'cat /dev/zero' });
    expect(refused.json()).toMatchObject({ code: 'INVALID_INPUT', field: 'command' });
    expect(await streams.inside(member, 'cat /dev/zero')).toEqual([]);
  }, 120_000);

  it('31: what runs on in the background is not waited for', async () => {
    const begun = Date.now();
    expect((await shell('sleep 30 & echo begun')).json<Result>().stdout).toBe('begun\n');
    expect(Date.now() - begun).toBeLessThan(20_000);
  }, 40_000);

  it('v2 takes arguments, stdin, user, group, environment, directory', async () => {
    const script = 'cat; echo "$1 $A $(pwd) $(id -u) $(id -g)" >&2; exit 9';
    const body = {
      command: ['sh', '-c', script, 'sh', 'two words'],
      ...{ stdin: 'ünî\n', user: 7, group: 8, environment: { A: '$B' }, directory: '/tmp' },
    };
    const answer = await streams.run(member, body);
    expect(answer.json()).toEqual({ exitCode: 9, stdout: 'ünî\n', stderr: 'two words $B /tmp 7 8\n', timedOut: false });
    const bytes = Buffer.from([0, 255, 30, 10]).toString('base64');
    const binary = await streams.run(member, { command: ['cat'], stdin: bytes, encoding: 'base64' });
    expect(binary.json()).toMatchObject({ exitCode: 0, stdout: bytes });
  });

  it('v2 kills after the time-out, with all that was started', async () => {
    const body = { command: ['sh', '-c', 'echo begun; sleep 4713 & sleep 4714 | cat'], timeoutSeconds: 1 };
    expect((await streams.run(member, body)).json()).toEqual({ exitCode: 137, stdout: 'begun\n', stderr: '', timedOut: true });
    expect(await streams.gone(member, 'sleep 471', 5_000)).toBeLessThan(5_000);
  }, 30_000);
});

describe('log', () => {
  const log = async () => (await session.members.expect(200, member, 'GET', '/log')).body;

  it('32: what is written to /dev/console is read back, and gone when cleared', async () => {
    await shell('echo "marked line" > /dev/console');
    await waitFor('the line in the log', async () => (await log()).includes('marked line'), { timeoutMs: 10_000 });
    await session.members.expect(204, member, 'DELETE', '/log');
    expect(await log()).toBe('');
    const fresh = session.members.one(1);
    await session.members.create(fresh);
    expect((await session.members.expect(200, fresh, 'GET', '/log')).body).toBe('');
    await session.members.expect(204, fresh, 'DELETE', '/log');
  }, 60_000);

  it('v2 follows it, and tells when it is cleared', async () => {
    const { lab } = session;
    const gone = new AbortController();
    const url = `${lab.profile.urls.api}/v2/webspaces/${member.webspace}/log`;
    const answer = await fetch(`${url}/events`, { headers: streams.headers(member), signal: gone.signal });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    let seen = '';
    const reading = (async () => {
      for await (const chunk of answer.body ?? []) seen += Buffer.from(chunk).toString('utf8');
    })().catch(() => undefined);
    const shows = (text: string) => waitFor(`${text} in the events`, async () => seen.includes(text), { timeoutMs: 20_000 });
    await shell('echo "followed line" > /dev/console');
    await shows('followed line');
    expect((await http(url, { method: 'DELETE', headers: streams.headers(member) })).status).toBe(204);
    await shows('event: cleared');
    gone.abort();
    await reading;
  }, 60_000);
});

describe('who may', () => {
  const refusal = async (url: string, headers: Record<string, string> = {}) => {
    const answer = await StreamClient.open(url, { headers }).catch((error: unknown) => error);
    if (!(answer instanceof Refused)) throw new Error(`not refused: ${String(answer)}`);
    return [answer.status, answer.contentType.split(';')[0]];
  };

  it.each(['console', 'exec'] as const)('33: GET of %s without an upgrade is 400 JSON', async (what) => {
    const answer = await session.members.expect(400, member, 'GET', `/${what}`);
    expect(answer.headers['content-type']).toContain('json');
    expect(answer.json<{ message: string }>().message).toBe('this endpoint supports websocket communication only');
  });

  it('is decided before the upgrade', async () => {
    const url = streams.url('exec');
    const problem = 'application/problem+json';
    expect(await refusal(url)).toEqual([401, problem]);
    expect(await refusal(url, { authorization: 'Bearer nonsense' })).toEqual([401, problem]);
    expect(await refusal(url.replace('self', session.members.one(2).username), streams.headers(member))).toEqual([403, problem]);
    expect(await refusal(url, streams.headers(session.members.one(3)))).toEqual([404, problem]);
    expect(await refusal(url, { ...streams.headers(member), origin: 'https://evil.example' })).toEqual([403, problem]);
    const { origin } = new URL(url);
    (await StreamClient.open(url, { headers: { ...streams.headers(member), origin } })).socket.terminate();
  });

  it('browsers connect with a ticket, which is good once, for one stream of one webspace', async () => {
    const { lab } = session;
    const issue = async (stream: string) => {
      const answer = await lab.api({ id: member.id }, 'POST', `/v2/webspaces/${member.webspace}/tickets`, { stream });
      expect(answer.status).toBe(201);
      return answer.json<{ ticket: string; url: string }>();
    };
    const { ticket, url } = await issue('exec');
    const page = { origin: lab.profile.urls.api };
    expect(await refusal(url.replace('/exec', '/console').replace(/^ws/, 'http'), page)).toEqual([401, 'application/problem+json']);
    const client = await StreamClient.open(url, { headers: page });
    client.say({ command: ['echo', 'by ticket'], width: 80, height: 24 });
    expect(await client.closed).toEqual({ code: 1000, reason: '0' });
    expect(client.output).toBe('by ticket\r\n');
    expect(await refusal(url.replace(/^ws/, 'http'), page)).toEqual([401, 'application/problem+json']);
    expect(readFileSync(lab.process('api').logFile, 'utf8')).not.toContain(ticket);
  });
});
