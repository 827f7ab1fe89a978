import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { openApiDocument } from './http/openapi.js';
import { startTestApi } from './testing/test-api.js';

/** Writes the committed copy of the OpenAPI document; run it after a change of the API. */
const { app } = await startTestApi();
writeFileSync('apps/api/openapi.json', `${JSON.stringify(openApiDocument(app), undefined, 2)}\n`);
await app.close();
