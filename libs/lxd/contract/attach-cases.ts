import { expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import type { ExecResult } from '../client-parts.js';
import { type Fixture, failureOf } from './fixture.js';

const texts = ({ exitCode, stdout, stderr }: ExecResult) => [exitCode, stdout.toString(), stderr.toString()];

export function attachCases(fixture: Fixture): void {
  test('a command gives its exit code, its output and its errors', async () => {
    const { exec } = fixture.client;
    expect(texts(await exec.run(fixture.shared, { command: ['true'] }))).toEqual([0, '', '']);
    expect(texts(await exec.run(fixture.shared, { command: ['sh', '-c', 'echo out; echo err >&2; exit 3'] }))).toEqual([
      3,
      'out\n',
      'err\n',
    ]);
    expect(texts(await exec.record(fixture.shared, { command: ['sh', '-c', 'echo out; echo err >&2; exit 4'] }))).toEqual([
      4,
      'out\n',
      'err\n',
    ]);
  });

  test('stdin reaches the command whole and ends', async () => {
    const input = Buffer.alloc(300_000, 'x');
    const result = await fixture.client.exec.run(fixture.shared, { command: ['sh', '-c', 'cat'], input });
    expect(result.stdout.equals(input)).toBe(true);
  });

  test('what cannot run says so', async () => {
    const { exec } = fixture.client;
    const stopped = await fixture.make();
    expect(await failureOf(exec.run(stopped, { command: ['true'] }))).toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'not-running' },
    });
    expect((await failureOf(exec.run('nobody', { command: ['true'] }))).code).toBe('NOT_FOUND');
    const missing = await failureOf(exec.run(fixture.shared, { command: ['no-such-command', 'hidden-argument'] }));
    expect(missing).toMatchObject({ code: 'INVALID_INPUT', details: { reason: 'command-not-found' } });
    expect(missing.message).not.toContain('hidden-argument');
  });

  test('an aborted or late command is killed', async () => {
    const { exec } = fixture.client;
    const abort = new AbortController();
    const reason = new Error('told to stop');
    setTimeout(() => abort.abort(reason), 50);
    await expect(exec.run(fixture.shared, { command: ['sleep', '60'] }, { signal: abort.signal })).rejects.toBe(reason);
    const late = await failureOf(exec.run(fixture.shared, { command: ['sleep', '60'] }, { timeoutMs: 200 }));
    expect(late).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'timeout' } });
    await eventually(async () => ((await fixture.client.operations.running({ instance: fixture.shared })).length === 0 ? true : undefined));
  }, 30_000);

  test('a terminal has a size, takes input and ends by itself', async () => {
    const session = await fixture.client.exec.open(fixture.shared, { command: ['sh'], terminal: { width: 80, height: 24 } });
    let seen = '';
    session.stdout.on('data', (data) => {
      seen += data;
    });
    session.resize({ width: 111, height: 44 });
    session.stdin.write('stty size\n');
    await eventually(() => (seen.includes('44 111') ? true : undefined));
    session.stdin.write('exit 7\n');
    expect(await session.exitCode).toBe(7);
  }, 30_000);

  test('the console takes a connection and gives it back; its log is kept', async () => {
    const { console } = fixture.client;
    const session = await console.attach(fixture.shared, { width: 80, height: 24 });
    let seen = '';
    session.stream.on('data', (data) => {
      seen += data;
    });
    await eventually(() => {
      session.stream.write('\r');
      return seen === '' ? undefined : true;
    });
    session.resize({ width: 100, height: 30 });
    session.close();
    await session.ended;
    expect(await eventually(async () => ((await console.readLog(fixture.shared)).length > 0 ? true : undefined))).toBe(true);
    await console.clearLog(fixture.shared);
    const stopped = await fixture.make();
    expect((await failureOf(console.readLog(stopped))).code).toBe('NOT_FOUND');
    expect((await failureOf(console.attach(stopped, { width: 80, height: 24 }))).code).toBe('CONFLICT');
  }, 30_000);

  test('a console is let go again and again while it is written to', async () => {
    const { console } = fixture.client;
    for (let round = 0; round < 30; round++) {
      const session = await console.attach(fixture.shared, { width: 80, height: 24 });
      let seen = '';
      session.stream.on('data', (data) => {
        seen += data;
      });
      await eventually(() => {
        session.stream.write('echo flood\r'.repeat(50));
        return seen.includes('flood') ? true : undefined;
      });
      session.close();
      await session.ended;
    }
  }, 60_000);

  test('logs are listed and read', async () => {
    const { logs } = fixture.client;
    expect(await logs.list(fixture.shared)).toContain('lxc.log');
    expect((await logs.get(fixture.shared, 'lxc.log')).length).toBeGreaterThan(0);
    expect((await failureOf(logs.get(fixture.shared, 'nonsense'))).code).toBe('INVALID_INPUT');
  });
}
