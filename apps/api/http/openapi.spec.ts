import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { startTestApi, type TestApi } from '../testing/test-api.js';

type Document = {
  paths: Record<string, Record<string, { responses: Record<string, unknown>; security?: unknown[] }>>;
  components: { schemas: Record<string, unknown> };
};

/** Documents, Swagger UI and metrics are not part of the API; HEAD is there wherever GET is. */
const NOT_THE_API = /^HEAD |^\w+ \/(swagger|openapi\.|metrics)/;

const partOf = (whole: Document, key: string) => JSON.stringify(key === 'components' ? whole.components : whole.paths[key]);

let api: TestApi;
let document: Document;
beforeAll(async () => {
  api = await startTestApi();
  document = (await api.call({ path: '/openapi.json' })).json() as unknown as Document;
});
afterAll(() => api.app.close());

test('the committed document is the one that is served; write it with "node dist/apps/api/write-openapi.js"', () => {
  const committed = JSON.parse(readFileSync('apps/api/openapi.json', 'utf8')) as Document;
  const differing = [...Object.keys(document.paths), 'components'].filter((key) => partOf(committed, key) !== partOf(document, key));
  expect(differing).toEqual([]);
  expect(Object.keys(committed.paths)).toEqual(Object.keys(document.paths));
});

test('every route is documented, and nothing else', () => {
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = api.routes.all().filter((route) => !NOT_THE_API.test(route));
  expect(served.length).toBeGreaterThan(15);
  expect(documented.sort()).toEqual(served);
});

test('the document is valid OpenAPI', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toMatch(/^3\./);
});

test('bodies and answers refer to named schemas', () => {
  expect(Object.keys(document.components.schemas)).toEqual(
    expect.arrayContaining([
      'InitRequest',
      'Webspace',
      'State',
      'Image',
      'Problem',
      'CreateWebspace',
      'WebspacePage',
      'Operation',
      'OperationPage',
      'Health',
    ]),
  );
});

test('routes that need a token say so, the public ones do not', () => {
  expect(document.paths['/v1/webspace/{user}']?.['get']?.security).toEqual([{ bearer: [] }]);
  expect(document.paths['/v1/images']?.['get']?.security).toBeUndefined();
});

test('Swagger UI is served, with its assets', async () => {
  const page = await api.call({ path: '/swagger' });
  expect(page.status).toBe(200);
  expect(page.text).toContain('swagger-ui');
  expect((await api.call({ path: '/swagger/swagger-ui-bundle.js' })).status).toBe(200);
});
