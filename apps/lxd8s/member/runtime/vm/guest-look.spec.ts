import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseFiles, parseInstances, parseRunLine } from './guest-look.js';
import { assignments, settingsText, writeHanded } from './handed-over.js';

test('files of LXD are told apart, and what is missing is left out', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const printed = `==> /var/lib/lxd/server.crt <==\n${pem}\n==> /proc/meminfo <==\nMemTotal:  1000 kB\nMemAvailable:  250 kB\n`;
  expect(parseFiles(printed)).toEqual({ files: { 'server.crt': pem }, memory: { limitBytes: 1_024_000, freeBytes: 256_000 } });
});

test('a machine that says nothing of its memory has none that would be short', () => {
  for (const printed of ['', '==> /proc/meminfo <==\n']) expect(() => parseFiles(printed)).toThrow(/meminfo of the machine cannot be read/);
});

test('instances are known by their monitors; one that has no process yet is none', () => {
  const printed = ['[lxc monitor] /var/lib/lxd/containers web\t812 ', '[lxc monitor] /var/lib/lxd/containers other_web\t', ''].join('\n');
  expect(parseInstances(printed)).toEqual([{ name: 'web', pid: 812 }]);
});

test("what a run says of itself is none of LXD's lines", () => {
  expect(parseRunLine('@lxd8s pid 214')).toEqual({ pid: 214 });
  expect(parseRunLine('@lxd8s ended 1')).toEqual({ ended: 1 });
  expect(parseRunLine('time="x" level=info msg="@lxd8s ended 1"')).toBeUndefined();
});

test('whatever is in a value, a shell takes it for that value', () => {
  const value = `a'b "$(touch /tmp/x)" \`id\`; exit`;
  expect(execFileSync('sh', ['-c', `${assignments({ LXD_X: value })}printf %s "$LXD_X"`]).toString()).toBe(value);
  expect(assignments({ 'x;y': '1', LXD_GONE: undefined })).toBe('');
});

test('secrets are in files that nobody else may read, made anew each time', () => {
  const folder = mkdtempSync(join(tmpdir(), 'handed-'));
  try {
    const settings = settingsText({ member: 'lxd-0', domain: 'x', macs: { outside: 'a', lan: 'b' }, disk: 'new', word: 'secret' });
    for (let times = 0; times < 2; times += 1) {
      const { settings: file = '' } = writeHanded(join(folder, 'run'), { settings, environment: '' });
      expect(execFileSync('sh', ['-c', `. ${file}; echo "$WORD $DISK $LAN_BRIDGE"; stat -c %a ${file}`]).toString()).toBe(
        'secret new \n600\n',
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
