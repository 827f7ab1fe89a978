import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { configOfFile } from './config-file.js';
import { kubelanConfigSchema } from './kubelan.js';
import { readConfig } from './load.js';
import { ConfigError } from './problems.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-file-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function reader(name: string) {
  const file = join(folder, name);
  const write = (text: string) => writeFileSync(file, text);
  write('ageingSeconds: 30');
  const request = { name: 'kubelan', schema: kubelanConfigSchema, argv: ['--config', file, '--resyncSeconds=7'], env: {} };
  const answer = readConfig(request);
  if (answer.kind !== 'config') throw new Error(answer.text);
  return { file, write, first: answer.config, read: configOfFile(request, answer.config) };
}

test('is the same object while the file says the same, and another one when it does not', () => {
  const { write, first, read } = reader('changes');
  const same = read();
  expect(same).toEqual(first);
  expect(read()).toBe(same);
  write('ageingSeconds: 40');
  const second = read();
  expect(second).toMatchObject({ ageingSeconds: 40, resyncSeconds: 7 });
  expect(read()).toBe(second);
});

test('throws each time while the file cannot be used or is not there, and goes on afterwards', () => {
  const { file, write, read } = reader('breaks');
  write('ageingSeconds: nonsense');
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/ageingSeconds/);
  rmSync(file);
  expect(read).toThrow(/cannot read/);
  write('ageingSeconds: 50');
  expect(read().ageingSeconds).toBe(50);
});
