import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';

test('all of Temporal shares one copy of protobufjs 8, which replay needs', () => {
  const root = createRequire(import.meta.url);
  const copies = ['common', 'proto', 'worker', 'client'].map((name) => {
    const from = createRequire(root.resolve(`@temporalio/${name}/package.json`));
    const file = from.resolve('protobufjs/package.json');
    return { file, version: (from('protobufjs/package.json') as { version: string }).version };
  });
  expect(new Set(copies.map(({ file }) => file)).size).toBe(1);
  expect(copies[0]?.version).toMatch(/^8\./);
});
