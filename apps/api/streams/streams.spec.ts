import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { waitFor } from '#lab/wait.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { ConsoleSession, ExecSession } from '#libs/lxd/client-parts.js';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';

interface Command {
  readonly request: { readonly command: readonly string[] };
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  killed: boolean;
  end(code: number): void;
}

/** What LXD was asked for, and what it would say. */
interface Outside {
  readonly commands: Command[];
  readonly consoles: { readonly stream: PassThrough; readonly sizes: unknown[] }[];
  running: boolean;
}

let api: TestApi;
let outside: Outside;
let port: number;

beforeEach(async () => {
  outside = { commands: [], consoles: [], running: true };
  api = await startTestApi({ streams: { perWebspace: 2 } });
  Object.assign(api.lxd.client, clientOf(outside));
  api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText({ id: '12', username: 'alice' }), 'running'));
  await api.app.listen(0, '127.0.0.1');
  port = (api.app.getHttpServer().address() as AddressInfo).port;
});
afterEach(() => api.app.close());

function clientOf(world: Outside): Pick<LxdClient, 'exec' | 'console'> {
  const assertRunning = () => {
    if (!world.running) throw new PlatformError('CONFLICT', 'Instance is not running', { details: { reason: 'not-running' } });
  };
  const open = async (_name: string, request: Command['request']): Promise<ExecSession> => {
    assertRunning();
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    let end = (_code: number): void => undefined;
    const exitCode = new Promise<number>((resolve) => {
      end = resolve;
    });
    const command: Command = { request, stdin, stdout, killed: false, end: (code) => end(code) };
    world.commands.push(command);
    const kill = () => {
      command.killed = true;
      stdout.end();
      command.end(137);
    };
    return { stdin, stdout, stderr: PassThrough.from([]), exitCode, resize: () => undefined, signal: () => undefined, kill };
  };
  const attach = async (): Promise<ConsoleSession> => {
    assertRunning();
    const made = { stream: new PassThrough(), sizes: [] as unknown[] };
    world.consoles.push(made);
    return { stream: made.stream, resize: (size) => made.sizes.push(size), close: () => made.stream.end(), ended: Promise.resolve() };
  };
  return { exec: { open, run: async () => ({}) }, console: { attach } } as unknown as Pick<LxdClient, 'exec' | 'console'>;
}

interface Opened {
  readonly status: number;
  readonly socket: WebSocket;
  readonly body: Record<string, unknown>;
}

async function ask(path: string, headers: Record<string, string> = { authorization: 'Bearer alice' }): Promise<Opened> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('open', () => resolve({ status: 101, socket, body: {} }));
    socket.once('unexpected-response', async (_request, answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      resolve({ status: answer.statusCode ?? 0, socket, body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> });
    });
  });
}

async function opened(path: string, headers?: Record<string, string>): Promise<WebSocket> {
  const { status, socket, body } = await ask(path, headers);
  expect([status, body]).toEqual([101, {}]);
  return socket;
}

const closeOf = async (socket: WebSocket) => {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
};

const until = <T>(find: () => T | undefined) => waitFor('what the test looks for', find, { timeoutMs: 5_000, intervalMs: 5 });

/** The guard's words in the output of the n-th command. */
const say = (command: Command, value: string) => command.stdout.write(`\u001e${command.request.command[4]} ${value}\u001e`);
const EXEC = '/v1/webspace/self/exec';
const start = JSON.stringify({ command: ['sh'], width: 80, height: 24 });

describe('before the upgrade', () => {
  test.each([
    ['without a token', EXEC, {}, 401],
    ['with a bad one', EXEC, { authorization: 'Bearer nobody' }, 401],
    ["for somebody else's", '/v1/webspace/bob/exec', { authorization: 'Bearer alice' }, 403],
    ['for one that is not there', EXEC, { authorization: 'Bearer bob' }, 404],
    ['with a ticket that is none', `${EXEC}?ticket=x`, {}, 401],
    ['from a page of another origin', EXEC, { authorization: 'Bearer alice', origin: 'https://evil.example' }, 403],
    ['for a path that is not there', '/v1/nothing', { authorization: 'Bearer alice' }, 404],
  ])('%s is a problem', async (_what, path, headers, status) => {
    const answer = await ask(path, headers as Record<string, string>);
    expect([answer.status, answer.body['status']]).toEqual([status, status]);
    expect(outside.commands).toEqual([]);
  });

  test.each(['console', 'exec'])('a plain GET of %s is told that it is for WebSockets', async (what) => {
    const answer = await api.call({ path: `/v1/webspace/self/${what}`, token: 'alice' });
    expect(answer.json()).toMatchObject({ status: 400, message: 'this endpoint supports websocket communication only' });
  });

  test('pages of the own origin may', async () => {
    for (const origin of ['http://api.test', `http://127.0.0.1:${port}`]) {
      (await opened(EXEC, { authorization: 'Bearer alice', origin })).terminate();
    }
  });

  test('one webspace has so many streams, and a place is free again when one has ended', async () => {
    const [first] = [await opened(EXEC), await opened(EXEC)];
    expect((await ask(EXEC)).body).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    first?.close();
    await until(() => (api.logLines.some((line) => line.includes('a stream was closed')) ? true : undefined));
    (await opened(EXEC)).terminate();
  });

  test('a request that offers HTTP/2 is served as if it had not', async () => {
    const socket = connect(port, '127.0.0.1');
    const body = JSON.stringify({ stream: 'exec' });
    socket.write(
      `POST /v2/webspaces/ws-u12/tickets HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer alice\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1.1 201 /);
  });
});

describe('tickets', () => {
  const issue = async (stream: string, token = 'alice') =>
    (await api.call({ method: 'POST', path: '/v2/webspaces/ws-u12/tickets', token, body: { stream } })).json() as {
      ticket: string;
      url: string;
    };

  test('open one WebSocket, once', async () => {
    const { ticket, url } = await issue('exec');
    expect(url).toBe(`ws://api.test${EXEC}?ticket=${ticket}`);
    (await opened(`${EXEC}?ticket=${ticket}`, {})).terminate();
    expect((await ask(`${EXEC}?ticket=${ticket}`, {})).body).toMatchObject({ status: 401 });
  });

  test('are for one stream of one webspace', async () => {
    const { ticket } = await issue('exec');
    expect((await ask(`/v1/webspace/self/console?ticket=${ticket}`, {})).status).toBe(401);
    expect((await ask(`/v1/webspace/bob/exec?ticket=${ticket}`, {})).status).toBe(403);
    const ofAdmin = await issue('exec', 'root');
    expect((await ask(`${EXEC}?ticket=${ofAdmin.ticket}`, {})).status).toBe(403);
    (await opened(new URL(ofAdmin.url).pathname + new URL(ofAdmin.url).search, {})).terminate();
  });

  test('need the right to the webspace', async () => {
    const answer = await api.call({ method: 'POST', path: '/v2/webspaces/ws-u12/tickets', token: 'bob', body: { stream: 'exec' } });
    expect(answer.status).toBe(403);
  });
});

describe('a stream', () => {
  test('passes both ways, and ends with the exit code', async () => {
    const socket = await opened(EXEC);
    socket.send(start);
    socket.send(Buffer.from('input'));
    const command = await until(() => outside.commands[0]);
    expect((await once(command.stdin, 'data'))[0].toString()).toBe('input');
    say(command, 'pid 42');
    command.stdout.write('output');
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    expect([data.toString(), isBinary]).toEqual(['output', true]);
    say(command, '7');
    expect(await closeOf(socket)).toEqual([1000, '7']);
    expect(command.killed).toBe(true);
  });

  test('tells a failure, cut to what a close frame holds', async () => {
    outside.running = false;
    api.operations.outcome = new PlatformError('OPERATION_FAILED', 'ü'.repeat(200));
    const socket = await opened(EXEC);
    socket.send(start);
    expect(await closeOf(socket)).toEqual([1011, `${'ü'.repeat(60)}…`]);
  });

  test.each([
    ['no JSON', 'nonsense', /^the message is not valid JSON$/],
    ['no command', '{"command":[]}', /^the message is not valid: command: must name a command$/],
    ['a user by name', '{"command":["sh"],"user":"root"}', /user: must be a whole number/],
    ['bytes', Buffer.from('x'), /must be a text message/],
  ])('whose first message is %s says so', async (_what, message, reason) => {
    const socket = await opened(EXEC);
    socket.send(message);
    expect(await closeOf(socket)).toEqual([1011, expect.stringMatching(reason)]);
  });

  test('boots a webspace that does not run, and only then', async () => {
    outside.running = false;
    const runUntil = api.operations.runUntil;
    api.operations.runUntil = async (request, options) => {
      outside.running = true;
      return runUntil(request, options);
    };
    const socket = await opened('/v1/webspace/self/console');
    socket.send('{"width":80,"height":24}');
    const console = await until(() => outside.consoles[0]);
    expect(api.operations.started).toEqual([expect.objectContaining({ kind: 'boot', name: 'ws-u12', owner: '12' })]);
    socket.send('{"width":100,"height":30}');
    await until(() => console.sizes[0]);
    expect(console.sizes).toEqual([{ width: 100, height: 30 }]);
    console.stream.end();
    expect(await closeOf(socket)).toEqual([1000, 'Stream shutting down']);
  });

  test('whose client goes takes the command with it', async () => {
    const socket = await opened(EXEC);
    socket.send(start);
    const command = await until(() => outside.commands[0]);
    socket.terminate();
    await until(() => command.killed || undefined);
  });

  test('ends when the API stops', async () => {
    const socket = await opened(EXEC);
    socket.send(start);
    const command = await until(() => outside.commands[0]);
    const [closed] = await Promise.all([closeOf(socket), api.app.close()]);
    expect(closed).toEqual([1001, expect.stringContaining('connect again')]);
    expect(command.killed).toBe(true);
  });

  test('reads no more than its client takes', async () => {
    const socket = await opened(EXEC);
    socket.send(start);
    const command = await until(() => outside.commands[0]);
    socket.pause();
    let written = 0;
    const block = Buffer.alloc(64 * 1024);
    // Beyond what kernel and stream hold, nothing is taken any more.
    while (written < 64 * 1024 * 1024) {
      written += block.length;
      if (command.stdout.write(block)) continue;
      const drained = await Promise.race([
        once(command.stdout, 'drain'),
        new Promise((resolve) => setTimeout(() => resolve('stuck'), 500)),
      ]);
      if (drained === 'stuck') break;
    }
    expect(written).toBeLessThan(32 * 1024 * 1024);
    let received = 0;
    socket.on('message', (data: Buffer) => {
      received += data.length;
    });
    socket.resume();
    say(command, '0');
    expect(await closeOf(socket)).toEqual([1000, '0']);
    expect(received).toBe(written);
  }, 20_000);
});

describe('a command that is waited for', () => {
  const post = (body: object) => api.call({ method: 'POST', path: '/v2/webspaces/ws-u12/exec', token: 'alice', body });

  test.each([
    [{ command: [] }, 'command'],
    [{ command: ['a', 'b\0'] }, 'command.1'],
    [{ command: ['a'], timeoutSeconds: 0 }, 'timeoutSeconds'],
    [{ command: ['a'], stdin: '*', encoding: 'base64' }, 'stdin'],
    [{ command: ['a'], environment: { 'A=B': 'c' } }, 'environment.A=B'],
    [{ command: ['a'], colour: 'red' }, 'colour'],
  ])('%j is refused by its field', async (body, field) => {
    expect((await post(body)).json()).toMatchObject({ status: 400, field });
    expect(outside.commands).toEqual([]);
  });

  test('that writes too much is killed', async () => {
    const answer = post({ command: ['yes'] });
    const command = await until(() => outside.commands[0]);
    command.stdout.write(Buffer.alloc(2_000, 'y'));
    expect((await answer).json()).toMatchObject({ status: 400, field: 'command', detail: expect.stringContaining('1024 bytes') });
    expect(command.killed).toBe(true);
  });

  test('that takes too long is killed, and answered', async () => {
    const answer = post({ command: ['sleep', '9'], timeoutSeconds: 0.1 });
    const command = await until(() => outside.commands[0]);
    command.stdout.write('so far');
    expect((await answer).json()).toEqual({ exitCode: 137, stdout: 'so far', stderr: '', timedOut: true });
  });
});
