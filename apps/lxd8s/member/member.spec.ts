import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLogger } from '#libs/logging/logger.js';
import { eventually } from '#libs/testing/eventually.js';
import { Member, type MemberParts } from './member.js';
import type { Marker } from './volumes/marker.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'member-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One whose LXD serves, in a cluster; its steps are noted in order. */
function member(everySeconds: number, steps: string[]): Member {
  const config = {
    everySeconds,
    // Together an address of this machine, so that no resolver is asked.
    member: '127.0.0',
    domain: '1',
    statefulSet: 'lxd',
    runtime: 'container',
    lxd: { folder },
    volumes: { mounts: 'any' },
    stop: { graceSeconds: 5, reserveSeconds: 1 },
  };
  const noted = (step: string) => async () => {
    steps.push(step);
  };
  const cluster = {
    keep: async (volume: Marker) => {
      steps.push('round');
      return volume;
    },
    attempt: async (_part: string, work: () => unknown) => work(),
    close: async () => undefined,
  };
  const parts = {
    config,
    cluster,
    runtime: { prepare: async () => undefined, look: noted('place'), instances: async () => [], close: async () => undefined },
    memory: { look: noted('memory') },
    keeper: { start: () => undefined, release: () => undefined, view: () => ({}) },
    watch: { look: async () => undefined, view: () => ({ is: 'serving' }) },
    lxd: { cluster: async () => ({ enabled: true }), close: async () => undefined },
    leftRunning: { note: async () => undefined, startAgain: () => undefined },
    log: createLogger({ name: 'spec', level: 'silent' }),
  };
  return new Member(parts as unknown as MemberParts);
}

test('79: a member looks at its memory every five seconds, however seldom at the rest', async () => {
  const steps: string[] = [];
  const one = member(3600, steps);
  const running = one.run();
  try {
    // The second round follows the first at once: that has brought the member on.
    await eventually(() => (steps.length > 7 ? true : undefined), { timeoutMs: 15_000 }).catch(() => undefined);
  } finally {
    await one.stop();
    await running;
  }
  const round = ['place', 'memory', 'round'];
  expect(steps.slice(0, 8)).toEqual([...round, ...round, 'place', 'memory']);
}, 30_000);
