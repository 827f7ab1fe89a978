import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { createLogger } from '#libs/logging/logger.js';
import { LxdKeeper } from './lxd-keeper.js';
import { logOfLxd } from './lxd-lines.js';
import type { LxdEnd, Runtime } from './runtime.js';

interface Run {
  readonly say: (line: string) => void;
  readonly end: (how: LxdEnd) => void;
}

let keeper: LxdKeeper;
afterEach(() => void keeper?.release());

function started(runs: Run[], destination = new PassThrough()): LxdKeeper {
  const runtime: Runtime = {
    kind: 'container',
    startsWithinMs: 0,
    prepare: async () => undefined,
    look: async () => undefined,
    memory: () => ({ limitBytes: 1, freeBytes: 1 }),
    close: async () => undefined,
    instances: async () => [],
    powerOff: () => undefined,
    start(say) {
      let end: Run['end'] = () => undefined;
      const ended = new Promise<LxdEnd>((resolve) => {
        end = resolve;
      });
      runs.push({ say, end });
      return { pid: runs.length, ended, kill: () => undefined };
    },
  };
  const log = createLogger({ name: 'spec', level: 'info', destination });
  keeper = new LxdKeeper({ runtime, log, pauseSeconds: { first: 0.01, most: 0.02 } });
  keeper.start();
  return keeper;
}

const until = (condition: () => boolean) => waitFor('what the test looks for', condition, { timeoutMs: 5_000, intervalMs: 1 });

describe('an LXD that ends by itself', () => {
  test('is started again, and how it ended and what it said last is known', async () => {
    const runs: Run[] = [];
    started(runs);
    for (const line of ['1', '2', '3', '4', '5', 'the reason']) runs[0]?.say(line);
    runs[0]?.end({ code: 1, signal: null });
    await until(() => runs.length === 2);
    expect(keeper.view()).toMatchObject({
      pid: 2,
      starts: 2,
      startedAt: expect.stringMatching(/Z$/),
      lastEnd: { how: 'exit 1', said: ['2', '3', '4', '5', 'the reason'] },
    });
  });

  test('is told each time', async () => {
    const destination = new PassThrough();
    const runs: Run[] = [];
    started(runs, destination);
    runs[0]?.end({ code: null, signal: 'SIGKILL' });
    await until(() => runs.length === 2);
    keeper.release();
    runs[1]?.end({ code: 0, signal: null });
    destination.end();
    const lines = (await text(destination)).split('\n').filter((line) => line.includes('has ended by itself'));
    expect(lines.map((line) => (JSON.parse(line) as { level: string; how: string }).how)).toEqual(['SIGKILL']);
  });

  test('is left alone once it was asked to end', async () => {
    const runs: Run[] = [];
    started(runs);
    expect(keeper.release()?.pid).toBe(1);
    runs[0]?.end({ code: 0, signal: null });
    await turn();
    expect(runs).toHaveLength(1);
  });

  test('is started once, however often that is asked', () => {
    const runs: Run[] = [];
    started(runs).start();
    expect(runs).toHaveLength(1);
  });
});

test.each([
  [
    'time="2026-01-01T00:00:00Z" level=warning msg="Member \\"x\\" is away" err="no route" member=x',
    { level: 'warn', msg: 'Member "x" is away', more: 'err="no route" member=x' },
  ],
  ['panic: runtime error', { level: 'info', msg: 'panic: runtime error' }],
])('a line of LXD is one of ours: %s', async (line, expected) => {
  const destination = new PassThrough();
  logOfLxd(createLogger({ name: 'spec', level: 'trace', destination }))(line);
  destination.end();
  expect(JSON.parse(await text(destination))).toMatchObject({ from: 'lxd', ...expected });
});
