import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import type { LxdEnd, LxdRun, RunningInstance, Runtime } from './runtime/runtime.js';
import { stopMember } from './stop.js';

let events: string[];
let noted: readonly string[];
let running: RunningInstance[];
let end: (how: LxdEnd) => void;
let run: LxdRun;
/** LXD's part: whether it obeys SIGTERM. */
let obeys: boolean;

beforeEach(() => {
  events = [];
  running = [
    { name: 'a', pid: 1 },
    { name: 'b', pid: 2 },
  ];
  obeys = true;
  const ended = new Promise<LxdEnd>((resolve) => {
    end = (how) => {
      events.push('LXD ends');
      resolve(how);
    };
  });
  run = {
    pid: 9,
    ended,
    kill(signal) {
      events.push(signal);
      if (signal === 'SIGKILL' || obeys) end({ code: 0, signal: null });
    },
  };
});

const runtime: Runtime = {
  kind: 'container',
  startsWithinMs: 0,
  prepare: async () => undefined,
  look: async () => undefined,
  memory: () => ({ limitBytes: 1, freeBytes: 1 }),
  close: async () => undefined,
  start: () => run,
  instances: async () => running,
  powerOff(instance) {
    events.push(`power off ${instance.name}`);
    // One of them takes no notice.
    if (instance.name === 'a') running = running.filter(({ name }) => name !== 'a');
  },
};

const stop = (more: { shutdown?: () => Promise<void>; serves?: boolean; run?: LxdRun | undefined; graceSeconds?: number } = {}) => {
  const lxd = { shutdown: more.shutdown ?? (async () => undefined) } as unknown as OwnMember;
  return stopMember({
    runtime,
    lxd,
    leftRunning: {
      note: async (names) => {
        noted = names;
      },
    },
    run: 'run' in more ? more.run : run,
    serves: more.serves ?? true,
    graceSeconds: more.graceSeconds ?? 6,
    reserveSeconds: 5,
    log: createLogger({ name: 'spec', level: 'silent' }),
  });
};

describe('78: the end of a member', () => {
  test('is left to LXD when that serves: it stops its containers, and then ends', async () => {
    const shutdown = async () => {
      events.push('asked to shut down');
      running = [];
      end({ code: 0, signal: null });
    };
    expect(await stop({ shutdown })).toEqual([]);
    expect(events).toEqual(['asked to shut down', 'LXD ends']);
    expect(noted).toEqual(['a', 'b']);
  });

  test('an LXD that does not serve is ended first, then the containers are asked to power off', async () => {
    expect(await stop({ serves: false })).toEqual(['b']);
    expect(events).toEqual(['SIGTERM', 'LXD ends', 'power off a', 'power off b']);
  });

  test('one that takes no notice of that either is killed', async () => {
    obeys = false;
    expect(await stop({ serves: false })).toEqual(['b']);
    expect(events).toEqual(['SIGTERM', 'SIGKILL', 'LXD ends', 'power off a', 'power off b']);
  });

  test('an LXD that refuses to shut down does not keep the containers from a clean end', async () => {
    const shutdown = async () => {
      throw new Error('no quorum');
    };
    expect(await stop({ shutdown, graceSeconds: 8 })).toEqual(['b']);
    expect(events).toEqual(['power off a', 'power off b', 'SIGTERM', 'LXD ends']);
  });

  test('nor does one that says nothing, and all is over in time', async () => {
    const begun = Date.now();
    expect(await stop({ shutdown: () => delay(60_000, undefined, { ref: false }), graceSeconds: 8 })).toEqual(['b']);
    expect(events).toEqual(['power off a', 'power off b', 'SIGTERM', 'LXD ends']);
    expect(Date.now() - begun).toBeLessThan(6_000);
  });

  test('containers that LXD has stopped are not asked again', async () => {
    const shutdown = async () => {
      running = running.filter(({ name }) => name === 'b');
      await delay(60_000, undefined, { ref: false });
    };
    await stop({ shutdown });
    expect(events[0]).toBe('power off b');
  });

  test('without LXD the containers are asked all the same', async () => {
    expect(await stop({ run: undefined })).toEqual(['b']);
    expect(events).toEqual(['power off a', 'power off b']);
  });
});
