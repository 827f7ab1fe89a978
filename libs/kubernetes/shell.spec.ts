import { type ChildProcess, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { WebSocketServer } from 'ws';
import type { Credentials } from './credentials.js';
import { PodShell } from './shell.js';

const LONG = { timeoutMs: 60_000 };
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function end(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** As a kubelet does it: what the connection says goes to a process of this machine. */
async function shellOf(program = 'sh') {
  const processes: ChildProcess[] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'v5.channel.k8s.io' });
  ends.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', (socket) => {
    const child = spawn(program, { stdio: 'pipe', detached: true });
    processes.push(child);
    const say = (channel: number, data: Buffer) => socket.send(Buffer.concat([Buffer.from([channel]), data]));
    child.stdout.on('data', (data: Buffer) => say(1, data));
    child.stderr.on('data', (data: Buffer) => say(2, data));
    child.on('error', (error) => say(3, Buffer.from(JSON.stringify({ status: 'Failure', message: error.message, code: 500 }))));
    child.on('exit', () => socket.close());
    // A program that is not there, or has ended, reads nothing.
    child.stdin.on('error', () => undefined);
    socket.on('message', (data: Buffer) => child.stdin.write(data.subarray(1)));
    // With what it runs, as the end of a container does.
    socket.on('close', () => child.pid !== undefined && child.exitCode === null && end(child.pid));
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const credentials: Credentials = { server: `http://127.0.0.1:${port}`, tls: {}, headers: async () => ({}) };
  const shell = await PodShell.open({ credentials, path: '/exec', pod: 'lxd-0' }, { container: 'lxd', ...LONG });
  ends.push(() => shell.close());
  return { shell, processes };
}

jest.setTimeout(90_000);

describe('a shell in a container', () => {
  test('runs one command after the other in one process, each with its own output and exit code', async () => {
    const { shell, processes } = await shellOf();
    const words = ["it's", '$HOME', 'two words', '\u001f{"a": [1]}\u001e'];
    const said = await shell.run(['printf', '%s|', ...words], LONG);
    expect(said.stdout.toString('utf8')).toBe(`${words.join('|')}|`);
    const failed = await shell.run(['sh', '-c', 'echo wrong >&2; exit 22'], LONG);
    expect([failed.exitCode, failed.stdout.toString('utf8')]).toEqual([22, '']);
    const large = await shell.run(['head', '-c', '300000', '/dev/zero'], LONG);
    expect([large.exitCode, large.stdout.length]).toEqual([0, 300_000]);
    expect(processes).toHaveLength(1);
  });

  test('a command cannot read the ones after it', async () => {
    const { shell } = await shellOf();
    expect((await shell.run(['cat'], LONG)).stdout.toString('utf8')).toBe('');
    expect((await shell.run(['echo', 'next'], LONG)).stdout.toString('utf8')).toBe('next\n');
  });

  test('a command that takes too long is UNAVAILABLE and ends the shell', async () => {
    const { shell } = await shellOf();
    await expect(shell.run(['sleep', '5'], { timeoutMs: 200 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(shell.state).toBe('ended');
    await expect(shell.run(['true'], LONG)).rejects.toMatchObject({ code: 'STALE' });
  });

  test('a shell that ended with its container is STALE, also for the command that runs', async () => {
    const { shell, processes } = await shellOf();
    const running = shell.run(['sleep', '5'], LONG);
    processes[0]?.kill('SIGKILL');
    await expect(running).rejects.toMatchObject({ code: 'STALE' });
    expect(shell.state).toBe('ended');
  });

  test('a container without sh is STALE, in the words of its node', async () => {
    const { shell } = await shellOf('/no/such/shell');
    await expect(shell.run(['true'], LONG)).rejects.toMatchObject({ code: 'STALE' });
  });
});
