import { expect, test } from '@jest/globals';
import type { Call } from '../shared/guard.js';
import { makeSure } from './make-sure.js';

const waits: unknown[] = [];
const call: Call = {
  signal: new AbortController().signal,
  me: { workflowId: 'u', runId: 'r' },
  attempt: 1,
  sinceMs: () => 0,
  waiting: (details) => void waits.push(details?.waitingFor),
};

test('what is in the way for a moment only refuses nothing', async () => {
  const reasons = ['lxd-1 is Offline.', undefined];
  await makeSure(call, 'No pod is deleted.', async () => reasons.shift());
  expect([reasons, waits]).toEqual([[], ['looked at once more: lxd-1 is Offline.']]);
});

test('what stays in the way is said', async () => {
  const refused = makeSure(call, 'No pod is deleted.', async () => 'lxd-1 is Offline.', 0.2);
  await expect(refused).rejects.toMatchObject({ code: 'CONFLICT', message: 'No pod is deleted. lxd-1 is Offline.' });
});
