import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type HookName, Hooks } from './hooks.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hooks-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function hooks(commands: Partial<Record<HookName, readonly string[]>>, timeoutMs = 20_000) {
  const failed: HookName[] = [];
  const made = new Hooks({
    commands: { up: [], change: [], ...commands },
    timeoutMs,
    env: { PATH: '/usr/bin:/bin', OWN: 'own', OUT: join(folder, 'out') },
    log: pino({ enabled: false }),
    onFailure: (hook) => failed.push(hook),
  });
  return { made, failed };
}

describe('row 64: a hook', () => {
  test("gets its variables beside the container's environment, one run after the other", async () => {
    const { made, failed } = hooks({ change: ['sh', '-c', 'sleep "$FOR"; echo "$IFACE $SERVICE [$IPS] $DELETED $OWN" >> "$OUT"'] });
    const run = (service: string, seconds: string) =>
      made.run('change', { IFACE: 'lan', SERVICE: service, IPS: '10.0.0.1 10.0.0.2', DELETED: 'false', FOR: seconds });
    await Promise.all([run('a/first', '0.2'), run('a/second', '0')]);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(
      'lan a/first [10.0.0.1 10.0.0.2] false own\nlan a/second [10.0.0.1 10.0.0.2] false own\n',
    );
    expect(failed).toEqual([]);
  });

  test('that fails, takes too long or is no program is told until it works again, and throws nothing', async () => {
    const { made, failed } = hooks({ up: ['sh', '-c', 'if [ "$IFACE" = bad ]; then echo why >&2; exit 3; fi'] });
    await made.run('up', { IFACE: 'bad' });
    expect([...made.failures]).toEqual([['up', 'exit 3: why']]);
    await made.run('up', { IFACE: 'good' });
    expect([...made.failures]).toEqual([]);
    const slow = hooks({ up: ['sh', '-c', 'sleep 60 & wait'], change: ['/no/such/program'] }, 300);
    await slow.made.run('up', {});
    await slow.made.run('change', {});
    expect(slow.made.failures.get('up')).toBe('ran longer than 0.3 s');
    expect(slow.made.failures.get('change')).toContain('ENOENT');
    expect([...failed, ...slow.failed]).toEqual(['up', 'up', 'change']);
  });

  test('that is not configured is nothing', async () => {
    const { made } = hooks({});
    await made.run('up', {});
    expect(made.failures.size).toBe(0);
  });
});
