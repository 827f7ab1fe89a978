import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { createLogger } from '#libs/logging/logger.js';
import { socketsIn } from './command-line.js';
import { RunningMachine } from './machine.js';

let folder: string;
let machine: RunningMachine | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'machine-'));
});
afterEach(async () => {
  machine?.kill();
  await machine?.ended;
  machine = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** In QEMU's place: it serves its sockets, says a line as LXD's, and ends by the power button where that is `obeyed`. */
const QEMU = (button: 'obeyed' | 'ignored') => `#!${process.execPath}
const { createServer } = require('node:net');
const { createInterface } = require('node:readline');
const of = (pattern) => pattern.exec(process.argv.join(' '))[1];
console.log('firmware');
createServer((socket) => {
  socket.write('{"QMP": {"version": {}}}\\n');
  createInterface({ input: socket }).on('line', (line) => {
    const { execute } = JSON.parse(line);
    socket.write('{"event": "X"}\\n{"return": {}}\\n', () => {
      if (execute === 'system_powerdown' && '${button}' === 'obeyed') process.exit(0);
    });
  });
}).listen(of(/-qmp unix:([^,]+),/));
createServer((socket) => setInterval(() => socket.write('@lxd8s pid 7\\n'), 20)).listen(of(/id=lxdlog,path=([^,]+),/));
`;

async function started(script: string): Promise<RunningMachine> {
  const qemu = join(folder, 'qemu');
  writeFileSync(qemu, script, { mode: 0o755 });
  const how = { accelerator: 'tcg', machine: 'microvm', member: 'lxd-0', guest: '/guest', memoryBytes: 2 ** 29, cpus: 1 } as const;
  const rest = { disks: [], sockets: socketsIn(folder), handed: {}, macs: { outside: 'a', lan: 'b' }, lxdPort: 8443, relayPort: 8444 };
  const log = createLogger({ name: 'spec', level: 'silent' });
  machine = await RunningMachine.start({ qemu, machine: { ...how, ...rest }, log });
  return machine;
}

describe('78: a machine', () => {
  test('ends by its power button', async () => {
    const running = await started(QEMU('obeyed'));
    expect(await running.powerOff(Date.now() + 10_000)).toBe('off');
    expect(running.running).toBe(false);
    expect(await running.ended).toBe('exit 0: firmware');
  });

  test('that takes no notice of it is killed, when its time is over', async () => {
    const running = await started(QEMU('ignored'));
    const begun = Date.now();
    expect(await running.powerOff(begun + 1_000)).toBe('killed');
    expect(Date.now() - begun).toBeGreaterThanOrEqual(990);
    expect(await running.ended).toMatch(/^SIGKILL/);
  });

  test('gives on what LXD says', async () => {
    const lines: string[] = [];
    const running = await started(QEMU('obeyed'));
    running.onLxdLine = (line) => lines.push(line);
    await waitFor('a line of LXD', () => lines.length > 0, { timeoutMs: 5_000 });
    expect(lines[0]).toBe('@lxd8s pid 7');
  });

  test('that QEMU does not start says what QEMU said', async () => {
    await expect(started('#!/bin/sh\necho "no such machine" >&2; exit 1\n')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'QEMU has ended: exit 1: no such machine.',
    });
  });
});
