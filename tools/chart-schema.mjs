#!/usr/bin/env node
// Writes deploy/chart/values.schema.json from the schemas of the processes' configurations; `npm run build` first.
import { writeFileSync } from 'node:fs';
import { valuesSchema } from '../dist/lab/chart/values-schema.js';

writeFileSync('deploy/chart/values.schema.json', `${JSON.stringify(valuesSchema(), null, 2)}\n`);
