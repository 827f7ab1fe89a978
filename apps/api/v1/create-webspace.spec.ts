import { describe, expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { instanceOf, recordText } from '../testing/lxd-stub.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const ALICE = { id: '12', username: 'alice' };
const post = { method: 'POST', path: '/v1/webspace/self', token: 'alice' };

describe('creating a webspace', () => {
  const create = (body: unknown, headers: Record<string, string> = {}) => api.call({ ...post, body, headers });

  test('starts one operation with all it needs, and answers 201 with the webspace', async () => {
    const answer = await create({ image: 'hello' });
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({ user: 12, config: { startupDelay: 3, httpPort: 80, sniPassthrough: false }, domains: [], ports: {} });
    const [request] = api.operations.started;
    expect(request).toMatchObject({
      kind: 'create',
      name: 'ws-u12',
      owner: '12',
      requestedBy: { subject: '12', username: 'alice' },
      input: {
        name: 'ws-u12',
        operationId: request?.operationId,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        owner: ALICE,
        image: 'hello',
        boot: false,
      },
    });
    expect(answer.headers['x-operation-id']).toBe(`create:ws-u12:${request?.operationId}`);
  });

  test.each([
    ['an unknown field', { image: 'hello', colour: 'red' }, 'colour'],
    ['a wrong type', { image: 7 }, 'image'],
    ['a missing image', {}, 'image'],
    ['an image that is no name', { image: '../x y' }, 'image'],
    ['an empty password', { image: 'hello', password: '' }, 'password'],
    ['a password with a NUL', { image: 'hello', password: 'hunter2\0' }, 'password'],
    ['a password with a line end', { image: 'hello', password: 'hunt\ner2' }, 'password'],
    ['a password of a line end', { image: 'hello', password: '\n' }, 'password'],
    ['a password of 129 characters', { image: 'hello', password: 'hunter2'.padEnd(129, 'x') }, 'password'],
    ['a password of more bytes than every system reads', { image: 'hello', password: 'hunter2'.padEnd(100, '\u20ac') }, 'password'],
    ['half a character in a password', { image: 'hello', password: 'hunter2\ud800' }, 'password'],
    ['a password that is no text', { image: 'hello', password: 7 }, 'password'],
    ['ssh of a wrong type', { image: 'hello', ssh: 'yes' }, 'ssh'],
  ])('refuses %s with 400 naming the field, and starts nothing', async (_case, body, field) => {
    const answer = await create(body);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'INVALID_INPUT', field, detail: expect.stringContaining(field) });
    expect(answer.text).not.toContain('hunter2');
    expect(api.operations.started).toHaveLength(0);
  });

  test.each([
    ['no body', undefined],
    ['an empty body', ''],
    ['bad JSON', '{"image": "hello", "password": "hunter2'],
    ['a list', '[]'],
    ['null', 'null'],
  ])('refuses %s with 400 in the original words, without quoting it', async (_case, body) => {
    const answer = await create(body);
    expect(answer.status).toBe(400);
    expect(answer.json()['message']).toMatch(/^failed to parse request body: /);
    expect(answer.text).not.toContain('hunter2');
    expect(api.operations.started).toHaveLength(0);
  });

  test.each(['application/x-www-form-urlencoded', 'x', ''])('reads JSON whatever the content type says, e.g. "%s"', async (type) => {
    expect((await create('{"image":"hello"}', { 'content-type': type })).status).toBe(201);
  });

  test('refuses a body beyond the limit with 413', async () => {
    expect((await create({ image: 'x'.repeat(5000) })).status).toBe(413);
  });

  test('is 409 in the original words when it exists', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    const answer = await create({ image: 'hello' });
    expect(answer.status).toBe(409);
    expect(answer.json()).toMatchObject({ message: 'already exists', code: 'CONFLICT' });
  });

  test('is 409 when it exists, also while Temporal is away', async () => {
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    api.operations.failure = new PlatformError('UNAVAILABLE', 'Temporal does not answer.');
    expect((await create({ image: 'hello' })).status).toBe(409);
  });

  test.each([
    ['NOT_FOUND', 404],
    ['CONFLICT', 409],
    ['OPERATION_FAILED', 502],
    ['UNAVAILABLE', 503],
    ['CANCELLED', 409],
  ] as const)("answers the operation's own %s with %i", async (code, status) => {
    api.operations.outcome = new PlatformError(code, 'There is no image "nope".', { details: { field: 'image' } });
    const answer = await create({ image: 'nope' });
    expect(answer.status).toBe(status);
    if (code !== 'UNAVAILABLE') expect(answer.headers['x-operation-id']).toMatch(/^create:ws-u12:/);
    expect(answer.json()).toMatchObject({ code, field: 'image', detail: 'There is no image "nope".' });
  });

  test('is 504 with the operation when it takes longer than a request may wait', async () => {
    api.operations.outcome = 'running';
    const answer = await create({ image: 'hello' });
    expect(answer.status).toBe(504);
    expect(answer.json()).toMatchObject({ code: 'TIMEOUT', operation: expect.stringMatching(/^create:ws-u12:/) });
  });

  test('is 503 when Temporal or LXD is away, and starts nothing', async () => {
    api.operations.failure = new PlatformError('UNAVAILABLE', 'Temporal does not answer.', { details: { retryAfterMs: 3000 } });
    expect((await create({ image: 'hello' })).headers['retry-after']).toBe('3');
    api.operations.failure = undefined;
    api.lxd.failure = new PlatformError('UNAVAILABLE', 'LXD does not answer.');
    expect((await create({ image: 'hello' }, { 'idempotency-key': 'k' })).status).toBe(503);
    expect(api.operations.started).toHaveLength(0);
  });

  test('joins the first operation when the key is repeated, also when the webspace is there by now', async () => {
    const key = { 'idempotency-key': 'order-1' };
    expect((await create({ image: 'hello' }, key)).status).toBe(201);
    api.lxd.instances.set('ws-u12', instanceOf('ws-u12', recordText(ALICE)));
    expect((await create({ image: 'hello' }, key)).status).toBe(201);
    expect(api.operations.started).toHaveLength(1);
  });

  test('refuses a repeated key with another body, and a malformed key', async () => {
    await create({ image: 'hello' }, { 'idempotency-key': 'order-2' });
    const other = await create({ image: 'other' }, { 'idempotency-key': 'order-2' });
    expect(other.status).toBe(409);
    expect(other.json()['detail']).toMatch(/another body/);
    expect((await create({ image: 'hello' }, { 'idempotency-key': 'two words' })).json()).toMatchObject({
      status: 400,
      field: 'Idempotency-Key',
    });
  });

  test('keeps the same key of two callers apart', async () => {
    const headers = { 'idempotency-key': 'same' };
    await create({ image: 'hello' }, headers);
    await api.call({ ...post, token: 'bob', body: { image: 'hello' }, headers });
    expect(new Set(api.operations.started.map(({ operationId }) => operationId)).size).toBe(2);
  });
});
