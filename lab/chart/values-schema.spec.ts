import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { projectRoot } from '../project.js';
import { valuesSchema } from './values-schema.js';

const chart = join(projectRoot(), 'deploy', 'chart');

test("the chart's schema of values is the one that the processes' configurations make; node tools/chart-schema.mjs writes it", () => {
  expect(JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(valuesSchema())));
});

test('every value that the chart has by itself is in the schema', () => {
  const known = Object.keys(valuesSchema()['properties'] as object);
  expect(Object.keys(parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as object).filter((key) => !known.includes(key))).toEqual([]);
});
