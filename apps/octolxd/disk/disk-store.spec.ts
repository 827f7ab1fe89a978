import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { z } from 'zod';
import { createLogger } from '#libs/logging/logger.js';
import { DiskStore } from './disk-store.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const log = createLogger({ name: 'spec', level: 'silent' });
const open = (limitBytes = 1_000_000) => DiskStore.open({ folder, limitBytes, schema: z.string(), log });
const LONG = 'x'.repeat(1000);

test('what was written is there for the next process', async () => {
  await (await open()).set('a', 'one');
  const again = await open();
  expect(await again.get('a')).toBe('one');
  expect(await again.get('b')).toBeUndefined();
});

test('the least recently used goes beyond the limit, also after a restart', async () => {
  const store = await open(2_500);
  await store.set('a', LONG);
  await store.set('b', LONG);
  expect(await store.get('a')).toBe(LONG);
  await store.set('c', LONG);
  expect(await store.get('b')).toBeUndefined();
  expect(store.bytes).toBeLessThanOrEqual(2_500);
  const smaller = await open(1_300);
  expect(readdirSync(folder)).toHaveLength(1);
  expect(smaller.bytes).toBeLessThanOrEqual(1_300);
});

test('half a write of a process that died is removed, and what is no value of ours counts as not there', async () => {
  const store = await open();
  await store.set('a', 'one');
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '{"key":"a","val');
  writeFileSync(join(folder, 'abc.123456.part'), 'half');
  const again = await open();
  expect(await again.get('a')).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
  await again.set('a', 'two');
  expect(await again.get('a')).toBe('two');
});
