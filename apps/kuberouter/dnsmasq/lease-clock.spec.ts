import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LeaseClock } from './lease-clock.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lease-clock-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const RESERVED = '0 02:57:ac:18:01:05 172.24.1.5 ws-u5 *\n';
const lease = (expires: number, octet: number) => `${expires} 00:16:3e:00:00:0${octet} 172.24.192.${octet} * *\n`;

function clocks() {
  const now = { wall: 1_800_000_000_000, steady: 5_000 };
  const pass = (ms: number) => {
    now.wall += ms;
    now.steady += ms;
  };
  const file = join(folder, 'leases');
  writeFileSync(file, '');
  const clock = new LeaseClock({ leases: file }, { wall: () => now.wall, steady: () => now.steady });
  return { now, pass, file, clock, text: () => readFileSync(file, 'utf8') };
}

test('time that passes, and corrections of a clock, are no step', () => {
  const { now, pass, clock } = clocks();
  expect(clock.look()).toBeUndefined();
  pass(3_600_000);
  expect(clock.look()).toBeUndefined();
  for (const ms of [4_000, 4_000, -4_000]) {
    now.wall += ms;
    expect(clock.look()).toBeUndefined();
  }
});

test('leases move with a clock that is set ahead, also those that dnsmasq has taken for over since', () => {
  const { now, pass, file, clock, text } = clocks();
  writeFileSync(file, `${lease(1_800_007_200, 1)}${lease(1_800_003_600, 2)}${RESERVED}`);
  clock.look();
  pass(1_000);
  now.wall += 86_400_000;
  // One that was over by the new clock was pruned, another client has got a lease.
  writeFileSync(file, `${lease(1_800_093_601, 3)}${RESERVED}`);
  expect(clock.look()).toBe(86_400);
  clock.move(86_400);
  expect(text()).toBe(`${lease(1_800_093_600, 1)}${lease(1_800_090_000, 2)}${RESERVED}${lease(1_800_093_601, 3)}`);
  pass(1_000);
  expect(clock.look()).toBeUndefined();
});

test('an address that was given to another meanwhile goes back to whose it was', () => {
  const { now, file, clock, text } = clocks();
  writeFileSync(file, lease(1_800_007_200, 1));
  clock.look();
  now.wall += 86_400_000;
  writeFileSync(file, '1800093600 00:16:3e:00:00:09 172.24.192.1 * *\n');
  clock.look();
  clock.move(86_400);
  expect(text()).toBe(lease(1_800_093_600, 1));
});

test('leases move with a clock that is set back, or they would not end', () => {
  const { now, file, clock, text } = clocks();
  writeFileSync(file, lease(1_800_007_200, 1));
  clock.look();
  now.wall -= 86_400_000;
  const step = clock.look();
  expect(step).toBe(-86_400);
  clock.move(step ?? 0);
  expect(text()).toBe(lease(1_799_920_800, 1));
});
