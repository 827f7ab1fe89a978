import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { timeLimit } from './time-limit.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('a wait that is limited ends, also when garbage was collected meanwhile', async () => {
  const never = new AbortController();
  const waited = once(new EventTarget(), 'nothing', { signal: AbortSignal.any([never.signal, timeLimit(300)]) }).catch(
    (error: Error) => error.name,
  );
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  expect(await Promise.race([waited, new Promise((resolve) => setTimeout(() => resolve('waits'), 3_000))])).toBe('AbortError');
});
