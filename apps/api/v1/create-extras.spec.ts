import { describe, expect, test } from '@jest/globals';
import { sha512Crypt } from '#libs/linux/sha512-crypt.js';
import { shareTestApi } from '../testing/share-test-api.js';
import { ALICES_KEY, type TestApi } from '../testing/test-api.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

interface Input {
  readonly uid: string;
  readonly operationId: string;
  readonly extras?: { readonly passwordHash?: string; readonly sshKey?: string };
}

const WAYS = [
  ['v1', '/v1/webspace/self', 201],
  ['v2', '/v2/webspaces', 202],
] as const;

describe.each(WAYS)('creating by %s', (_version, path, made) => {
  const create = (body: object, token = 'alice', headers: Record<string, string> = {}) =>
    api.call({ method: 'POST', path, token, body: { image: 'hello', ...body }, headers });
  const input = () => api.operations.started.at(-1)?.input as Input | undefined;

  test.each([
    ['quotes, and what a shell would read', `"'$HOME \`id\`\\: \u00e9\u{1d11e}`],
    ['128 characters', 'x'.repeat(128)],
    ['128 characters of two bytes', '\u00fc'.repeat(128)],
  ])('seals the hash of a password with %s', async (_what, password) => {
    expect((await create({ password })).status).toBe(made);
    const { extras, ...context } = input() as Input;
    const hash = api.sealing.open(String(extras?.passwordHash), context);
    expect(hash).toBe(await sha512Crypt(password, hash.split('$')[2]));
    const told = JSON.stringify(api.operations.started) + api.logLines.join();
    expect(told).not.toContain(JSON.stringify(password).slice(1, -1));
    expect(told).not.toContain(hash.slice(3));
  });

  test('does not tell the password by the mark of an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': `mark-${made}` };
    expect((await create({ password: 'hunter2' }, 'alice', headers)).status).toBe(made);
    expect((await create({ password: 'hunter3' }, 'alice', headers)).status).toBe(409);
    expect((await create({ password: 'hunter2' }, 'alice', headers)).status).toBe(made);
    expect(JSON.stringify(api.operations.started)).not.toMatch(/hunter/);
  });

  test("sends the account's key along", async () => {
    expect((await create({ ssh: true })).status).toBe(made);
    expect(input()?.extras).toEqual({ sshKey: ALICES_KEY });
  });

  test('is 400 in the original words when the account has no key, and starts nothing', async () => {
    const answer = await create({ ssh: true }, 'bob');
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ message: 'user has no SSH public key', field: 'ssh', code: 'INVALID_INPUT' });
    expect(api.operations.started).toEqual([]);
  });

  test('has no extras when none are asked for', async () => {
    expect((await create({ ssh: false }, 'bob')).status).toBe(made);
    expect(input()).not.toHaveProperty('extras');
  });
});

test.each(['\n', '\r\n'])('v1 drops a line end %j at the end of a password, v2 refuses it', async (end) => {
  const body = { image: 'hello', password: `hunter2${end}` };
  expect((await api.call({ method: 'POST', path: '/v1/webspace/self', token: 'alice', body })).status).toBe(201);
  const [{ input: made } = { input: {} }] = api.operations.started;
  const { extras, ...context } = made as Input;
  const hash = api.sealing.open(String(extras?.passwordHash), context);
  expect(hash).toBe(await sha512Crypt('hunter2', hash.split('$')[2]));
  expect((await api.call({ method: 'POST', path: '/v2/webspaces', token: 'alice', body })).json()).toMatchObject({
    status: 400,
    field: 'password',
  });
});

test('v1 answers with the forward to the SSH server', async () => {
  api.operations.outcome = { result: { ports: [{ protocol: 'tcp', external: 50_022, internal: 22 }] } };
  const answer = await api.call({ method: 'POST', path: '/v1/webspace/self', token: 'alice', body: { image: 'hello', ssh: true } });
  expect(answer.json()).toMatchObject({ user: 12, ports: { 50022: 22 } });
});
