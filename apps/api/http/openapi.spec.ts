import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../testing/test-api.js';

type Document = {
  paths: Record<string, Record<string, { responses: Record<string, unknown>; security?: unknown[] }>>;
  components: { schemas: Record<string, unknown> };
};

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

test('every route is documented', () => {
  expect(Object.keys(document.paths).sort()).toEqual([
    '/health',
    '/health/live',
    '/health/ready',
    '/v1/images',
    '/v1/webspace/{user}',
    '/v1/webspace/{user}/state',
    '/v2/operations',
    '/v2/operations/{id}',
    '/v2/operations/{id}/cancel',
    '/v2/operations/{id}/events',
    '/v2/webspaces',
    '/v2/webspaces/{name}',
    '/v2/webspaces/{name}/boot',
    '/v2/webspaces/{name}/reboot',
    '/v2/webspaces/{name}/shutdown',
  ]);
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
