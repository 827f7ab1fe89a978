import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import { machineConsole } from './machine-console.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'console-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Command {
  readonly path: string;
  readonly arg: readonly string[];
  readonly 'input-data'?: string;
}

describe('80: the console of a machine', () => {
  const HASH = '$6$salt$abcdefghijklmnopqrstuvwx';
  let servers: Server[];
  let commands: Command[];
  /** Exit codes of programs; 0 for the others. */
  let codes: Record<string, number>;
  /** What the login says to whoever is there. */
  let login: (visitor: Socket, word: string) => void;
  let visitor: Socket | undefined;
  let said: string;

  async function listen(name: string, onSocket: (socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => onSocket(socket.on('error', () => undefined))).listen(join(folder, name));
    servers.push(server);
    await once(server, 'listening');
  }

  /** As qemu-ga: each command ends at once. */
  function answer({ execute, arguments: given }: { execute: string; arguments: Command & { id: number; pid: number } }): unknown {
    if (execute === 'guest-sync') return given.id;
    if (execute === 'guest-exec') return { pid: commands.push(given) - 1 };
    const { path = '', arg = [] } = commands[given.pid] ?? {};
    const exitcode = codes[path] ?? 0;
    if (path.endsWith('/console') && exitcode === 0 && visitor) login(visitor, arg[0] ?? '');
    return { exited: true, exitcode, 'err-data': Buffer.from('it cannot').toString('base64') };
  }

  beforeEach(async () => {
    [servers, commands, codes, said, visitor] = [[], [], {}, '', undefined];
    login = (to, word) => to.write(`login: \0${word}`);
    await listen('agent', (socket) =>
      createInterface({ input: socket }).on('line', (line) => socket.write(`${JSON.stringify({ return: answer(JSON.parse(line)) })}\n`)),
    );
    await listen('console', (socket) => {
      visitor = socket;
    });
  });
  afterEach(() => {
    for (const server of servers) server.close();
  });

  function visit(): Promise<number> {
    const output = new PassThrough();
    output.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    return machineConsole({
      sockets: { agent: join(folder, 'agent'), console: join(folder, 'console') },
      hash: HASH,
      terminal: 'xterm',
      input: new PassThrough() as unknown as ReadStream,
      output: output as unknown as WriteStream,
      speaksWithinMs: 200,
    });
  }

  test('is a login until that ends, with the password given by standard input alone', async () => {
    expect(await visit()).toBe(0);
    expect(said).toBe('login: ');
    expect(JSON.stringify(commands.map(({ path, arg }) => [path, arg]))).not.toContain('salt');
    const inputs = commands.flatMap((command) => command['input-data'] ?? []);
    expect(inputs.map((data) => Buffer.from(data, 'base64').toString())).toEqual([`root:${HASH}\n`]);
  });

  test('a password that cannot be set is not in the error', async () => {
    codes['/usr/sbin/chpasswd'] = 1;
    const error = await visit().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'OPERATION_FAILED', message: expect.stringMatching(/chpasswd .*it cannot/) });
    expect(String(error)).not.toContain('salt');
  });

  test.each(['/usr/bin/flock', '/usr/lib/lxd8s/console'])('is refused at once where %s finds somebody else at it', async (path) => {
    codes[path] = 75;
    await expect(visit()).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test.each(['/usr/bin/flock', '/usr/lib/lxd8s/console'])('tells what else is wrong with %s', async (path) => {
    codes[path] = 1;
    await expect(visit()).rejects.toMatchObject({ code: 'OPERATION_FAILED', message: `${path} in the machine: exit 1: it cannot` });
  });

  test('a login that says nothing is not waited for without end', async () => {
    login = () => undefined;
    await expect(visit()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('nothing within 0.2 s') });
  });

  test('a login that has spoken has all the time', async () => {
    login = (to, word) => {
      to.write('login: ');
      setTimeout(() => to.write(`bye\0${word}`), 400);
    };
    expect(await visit()).toBe(0);
    expect(said).toBe('login: bye');
  });
});

test('80: the program in the machine starts one login at a time, lets go of its output, and says when there is another', async () => {
  const source = readFileSync('deploy/vm/guest/console', 'utf8');
  const program = join(folder, 'program');
  const port = join(folder, 'lxd8s.console');
  const here = source
    .replaceAll('/run/lxd8s', folder)
    .replaceAll('/dev/virtio-ports', folder)
    .replaceAll('/dev/ttyS0', join(folder, 'serial'));
  writeFileSync(program, here, { mode: 0o755 });
  // A login that goes on until the gate is there.
  const gate = join(folder, 'gate');
  writeFileSync(join(folder, 'socat'), `#!/bin/sh\nuntil [ -e ${gate} ]; do sleep 0.05; done\n`, { mode: 0o755 });
  // Ends only when nobody has its output any more.
  const start = (word: string) =>
    promisify(execFile)(program, [word, '24', '80', 'linux'], { env: { PATH: `${folder}:${process.env['PATH']}` }, timeout: 5_000 });
  const serial = join(folder, 'serial');
  const told = (word: string) =>
    eventually(() => (readFileSync(port, 'utf8') === `\0${word}` && readFileSync(serial, 'utf8').includes('is free')) || undefined);
  const free = (word: string) => eventually(() => start(word));
  try {
    await start('one');
    await expect(start('two')).rejects.toMatchObject({ code: 75 });
  } finally {
    writeFileSync(gate, '');
  }
  await told('one');
  await free('three');
  await told('three');
});
