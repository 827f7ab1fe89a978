import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { localTools } from '#libs/linux/tools.js';
import { dnsmasqFiles } from './files.js';
import { Dnsmasq } from './supervisor.js';

/** Serves nothing, but runs. */
const IDLE = 'port=0\npid-file=\nlog-facility=-\nuser=root\n';

let folder: string;
let made: Dnsmasq[];
let ended: (() => void) | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kuberouter-dnsmasq-'));
  made = [];
});
afterEach(async () => {
  for (const dnsmasq of made) await dnsmasq.stop();
  rmSync(folder, { recursive: true, force: true });
});

function create(): Dnsmasq {
  const parts = { files: dnsmasqFiles(folder), run: localTools(), log: pino({ level: 'silent' }), onEnd: () => ended?.() };
  const dnsmasq = new Dnsmasq(parts);
  made.push(dnsmasq);
  return dnsmasq;
}

test('a configuration that dnsmasq refuses is said, and the old one goes on', async () => {
  const dnsmasq = create();
  await dnsmasq.bring({ config: IDLE });
  const { pid } = dnsmasq;
  await expect(dnsmasq.bring({ config: `${IDLE}nonsense=1\n` })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(dnsmasq.pid).toBe(pid);
  expect(readFileSync(join(folder, 'dnsmasq.conf'), 'utf8')).toBe(IDLE);
});

test('reservations and names are read again by the same process, and a new configuration by another', async () => {
  const dnsmasq = create();
  const kept = { reservations: '', names: '' };
  await dnsmasq.bring({ config: IDLE, kept });
  const { pid } = dnsmasq;
  await dnsmasq.bring({ config: IDLE, kept });
  expect(dnsmasq.counts).toEqual({ starts: 1, reloads: 0, failures: 0 });
  await dnsmasq.bring({ config: IDLE, kept: { ...kept, names: '172.24.1.1 ws-u1\n' } });
  expect([dnsmasq.pid, dnsmasq.counts.reloads]).toEqual([pid, 1]);
  await dnsmasq.bring({ config: `${IDLE}no-hosts\n`, kept });
  expect(dnsmasq.counts).toEqual({ starts: 2, reloads: 1, failures: 0 });
});

test('one that ends by itself is started again, not at once', async () => {
  const dnsmasq = create();
  await dnsmasq.bring({ config: IDLE });
  const told = new Promise<void>((resolve) => {
    ended = resolve;
  });
  process.kill(dnsmasq.pid ?? 0, 'SIGKILL');
  await told;
  expect(dnsmasq.running).toBe(false);
  await expect(dnsmasq.bring({ config: IDLE })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  for (const begun = performance.now(); !dnsmasq.running && performance.now() - begun < 5_000; )
    await dnsmasq.bring({ config: IDLE }).catch(() => undefined);
  expect([dnsmasq.running, dnsmasq.counts.failures]).toEqual([true, 1]);
});

test('one that a killed process left behind is ended first, and what it was told stays', async () => {
  const former = create();
  await former.bring({ config: IDLE, kept: { reservations: '', names: '172.24.1.1 ws-u1\n' } });
  const left = former.pid ?? 0;
  const dnsmasq = create();
  await dnsmasq.bring({ config: IDLE });
  expect(dnsmasq.pid).not.toBe(left);
  expect(() => process.kill(left, 0)).toThrow();
  expect(readFileSync(join(folder, 'names'), 'utf8')).toBe('172.24.1.1 ws-u1\n');
});
