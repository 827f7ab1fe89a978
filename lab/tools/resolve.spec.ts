import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CATALOGUE } from './catalogue.js';
import { goBuildKey, goVersionFits } from './go-build.js';
import { environmentName, resolveTool } from './resolve.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-tools-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(place: string, output: string): string {
  mkdirSync(join(folder, place), { recursive: true });
  const file = join(folder, place, 'etcd');
  writeFileSync(file, `#!/bin/sh\necho '${output}'\n`);
  chmodSync(file, 0o755);
  return file;
}

const resolve = (env: Record<string, string>) =>
  resolveTool('etcd', { env: { WEBSPACES_CACHE: join(folder, 'cache'), ...env }, installMissing: false });

describe('where a tool comes from', () => {
  test('an explicit path wins over everything', async () => {
    const explicit = program('explicit', 'etcd Version: 2.0.0');
    program('path', 'etcd Version: 3.6.16');
    expect(await resolve({ PATH: join(folder, 'path'), WEBSPACES_TOOL_ETCD: explicit })).toBe(explicit);
  });

  test('an explicit path that does not exist is an error, not a reason to look elsewhere', async () => {
    await expect(resolve({ WEBSPACES_TOOL_ETCD: '/nowhere/etcd' })).rejects.toThrow(/WEBSPACES_TOOL_ETCD names/);
  });

  test('PATH comes next when the version fits, also behind one that does not', async () => {
    program('old', 'etcd Version: 3.4.23');
    const fitting = program('path', 'etcd Version: 3.6.9');
    expect(await resolve({ PATH: `${join(folder, 'old')}:${join(folder, 'path')}` })).toBe(fitting);
  });

  test('a version in PATH that does not fit leaves the cache', async () => {
    program('old', 'etcd Version: 3.4.23');
    const expected = join(folder, 'cache', `etcd-${CATALOGUE.etcd.version}-${goBuildKey(CATALOGUE.etcd.source)}-${process.arch}`, 'etcd');
    expect(await resolve({ PATH: join(folder, 'old') })).toBe(expected);
  });

  test('the variable is named after the program', () => {
    expect(environmentName('kube-apiserver')).toBe('WEBSPACES_TOOL_KUBE_APISERVER');
  });

  test('the Go toolchain must be 1.26 or newer', () => {
    expect(['go1.26.0', 'go1.27', 'go2.0', 'go1.19.8', 'go1.25.9'].map((name) => goVersionFits(`go version ${name} linux/amd64`))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
