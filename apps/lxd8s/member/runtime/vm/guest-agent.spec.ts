import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { GuestAgent, parseStatus } from './guest-agent.js';
import { LineSocket, parseAnswer } from './line-socket.js';

let folder: string;
let server: Server;
/** Questions of the agent's clients, and how it answers; undefined: not at all. */
let answer: (question: { execute: string; arguments: Record<string, unknown> }) => string | undefined;
let open = 0;
let most = 0;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'agent-'));
  open = 0;
  most = 0;
  server = createServer((socket: Socket) => {
    most = Math.max(most, ++open);
    socket.on('close', () => {
      open -= 1;
    });
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', (line) => {
      const text = answer(JSON.parse(line));
      if (text !== undefined) socket.write(`${text}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'agent.sock'), resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const agent = () => new GuestAgent(join(folder, 'agent.sock'));
const base64 = (text: string) => Buffer.from(text).toString('base64');
const returns = (value: unknown) => JSON.stringify({ return: value });

test('a socket that is given up on its way there is an error, and nobody waits for it', async () => {
  const opening = LineSocket.open(join(folder, 'agent.sock'), 'the agent', AbortSignal.abort());
  await expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

describe('a command in the machine', () => {
  test('runs to its end, and what it printed is given back', async () => {
    let polls = 0;
    answer = ({ execute, arguments: { id, path, arg } }) => {
      if (execute === 'guest-sync') return returns(id);
      if (execute === 'guest-exec') return path === '/bin/echo' && (arg as string[])[0] === 'a' ? returns({ pid: 7 }) : undefined;
      return returns(
        polls++ === 0 ? { exited: false } : { exited: true, exitcode: 3, 'out-data': base64('ä\n'), 'err-data': base64('no') },
      );
    };
    expect(await agent().exec(['/bin/echo', 'a'], { timeoutMs: 5_000 })).toEqual({ code: 3, stdout: 'ä\n', stderr: 'no' });
    await expect(agent().output(['/bin/echo', 'a'], { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'OPERATION_FAILED',
      message: expect.stringContaining('exit 3: no'),
    });
  });

  test('takes no late answer of an earlier client for its own', async () => {
    answer = ({ execute, arguments: { id } }) => {
      if (execute === 'guest-sync') return [returns({ pid: 99 }), 'half a li', returns(id)].join('\n');
      if (execute === 'guest-exec') return returns({ pid: 7 });
      return returns({ exited: true, exitcode: 0 });
    };
    expect(await agent().exec(['/bin/true'], { timeoutMs: 5_000 })).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('comes to its time limit where nobody answers, and then the next one has its turn', async () => {
    answer = () => undefined;
    const one = agent();
    const first = one.exec(['/bin/true'], { timeoutMs: 100 });
    const second = one.exec(['/bin/true'], { timeoutMs: 100 });
    await expect(first).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(second).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(most).toBeLessThan(2);
  });

  test('that cannot be run says why', async () => {
    answer = ({ execute, arguments: { id } }) =>
      execute === 'guest-sync' ? returns(id) : '{"error": {"class": "GenericError", "desc": "Failed to execute child process"}}';
    await expect(agent().exec(['/nothing'], { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'OPERATION_FAILED',
      message: expect.stringContaining('Failed to execute child process'),
    });
  });

  test('without an agent says that there is none', async () => {
    await expect(new GuestAgent(join(folder, 'none')).exec(['/bin/true'], { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});

test('a signal is told as a shell tells it', () => {
  expect(parseStatus({ exited: true, signal: 9 })).toMatchObject({ code: 137 });
  expect(() => parseStatus({ pid: 1 })).toThrow(/unknown form/);
});

test.each([
  ['{"QMP": {"version": {}}}', undefined],
  ['{"event": "POWERDOWN", "timestamp": {}}', undefined],
  ['nonsense', undefined],
  ['{"return": {}}', { return: {} }],
  ['{"return": 5}', { return: 5 }],
  ['{"error": {"class": "x", "desc": "no"}}', { refused: 'no' }],
])('%s is answered', (line, expected) => {
  expect(parseAnswer(line)).toEqual(expected);
});
