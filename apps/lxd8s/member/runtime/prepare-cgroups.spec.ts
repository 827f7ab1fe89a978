import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { delegate } from './prepare-cgroups.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroup-'));
  write('cgroup.procs', '1\n');
  write('cgroup.controllers', 'cpu memory pids\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(root, name), text);
const read = (name: string) => readFileSync(join(root, name), 'utf8');

describe('a container of control groups of version 2', () => {
  test('has its processes in a leaf, and controllers for groups beside it', () => {
    delegate(root);
    expect(read('init.scope/cgroup.procs')).toBe('1');
    expect(read('cgroup.subtree_control')).toBe('+cpu +memory +pids');
  });

  test('is no longer ended as a whole at its limit of memory', () => {
    write('memory.oom.group', '1\n');
    delegate(root);
    expect(read('memory.oom.group')).toBe('0');
  });

  test('stays without that file where the kernel has none', () => {
    delegate(root);
    expect(existsSync(join(root, 'memory.oom.group'))).toBe(false);
  });
});
