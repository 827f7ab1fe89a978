import { expect, test } from '@jest/globals';
import type { LxdInstance, LxdInstanceState } from '#libs/lxd/types.js';
import { instanceOf } from '../testing/lxd-stub.js';
import { KnownStarts } from './known-starts.js';

const running = (power?: string): LxdInstance => ({
  ...instanceOf('ws-u12', undefined, 'running'),
  config: power ? { 'volatile.last_state.power': power } : {},
});
const withPid = (pid: number) => ({ pid }) as LxdInstanceState;

test('a start is known for ten seconds', () => {
  let now = 0;
  const starts = new KnownStarts(() => now);
  const instance = running('RUNNING');
  expect(starts.find('ws-u12')).toBeUndefined();
  starts.note(instance, withPid(7));
  now = 9_999;
  expect(starts.find('ws-u12')).toMatchObject({ pid: 7, last_used_at: instance.last_used_at });
  now = 10_000;
  expect(starts.find('ws-u12')).toBeUndefined();
});

test.each([
  ['one that is just starting', running('STOPPED'), 7],
  ['one that never ran before', running(), 7],
  ['one that is stopped', running('RUNNING'), 0],
])('%s is not noted', (_what, instance, pid) => {
  const starts = new KnownStarts();
  starts.note(instance, withPid(pid));
  expect(starts.find('ws-u12')).toBeUndefined();
});
