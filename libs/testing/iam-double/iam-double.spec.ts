import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type IamDouble, startIamDouble } from './server.js';

let iam: IamDouble;
beforeEach(async () => {
  iam = await startIamDouble([
    { id: 1, username: 'root', is_admin: true },
    { id: 12, username: 'alice', ssh_key: 'ssh-ed25519 AAAA alice', password: 'correct horse' },
    { id: 13, username: 'bob', verified: false },
  ]);
});
afterEach(() => iam.close());

async function ask(method: string, path: string, { as, token, body }: { as?: string; token?: string; body?: unknown } = {}) {
  const bearer = token ?? (as && (await iam.issue(as)));
  const answer = await fetch(`${iam.url}${path}`, {
    method,
    ...(bearer === undefined ? {} : { headers: { authorization: `Bearer ${bearer}` } }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

describe('the double of the original identity service', () => {
  test('gives a token for the right password, which ends a year after the membership was renewed', async () => {
    const { status, body } = await ask('POST', '/users/alice/login', { body: { password: 'correct horse' } });
    expect(status).toBe(200);
    expect((await ask('GET', '/users/self/token', { token: body.token })).status).toBe(204);
    iam.change('alice', { renewed: '2020-01-01T00:00:00Z' });
    const ended = await ask('POST', '/users/alice/login', { body: { password: 'correct horse' } });
    expect((await ask('GET', '/users/self/token', { token: ended.body.token })).status).toBe(401);
    expect((await ask('GET', '/users/self', { token: ended.body.token })).body).toMatchObject({ id: 12, username: 'alice' });
  });

  test.each([
    ['alice', 'wrong', 401],
    ['bob', 'password of bob', 401],
    ['nobody', 'x', 404],
  ])('refuses to log %s in with "%s"', async (username, password, status) => {
    expect((await ask('POST', `/users/${username}/login`, { body: { password } })).status).toBe(status);
  });

  test('revokes every token of an account that logs out everywhere', async () => {
    const token = await iam.issue('alice');
    expect((await ask('DELETE', '/users/self/login', { token })).status).toBe(204);
    expect((await ask('GET', '/users/self/token', { token })).status).toBe(401);
  });

  test('never shows a password, and shows the key', async () => {
    const { body } = await ask('GET', '/users/self', { as: 'alice' });
    expect(body).toMatchObject({ id: 12, username: 'alice', ssh_key: 'ssh-ed25519 AAAA alice', verified: true, is_admin: false });
    expect(body).not.toHaveProperty('password');
  });

  test('lets only admins see others, by name and by id', async () => {
    expect((await ask('GET', '/users/bob', { as: 'alice' })).status).toBe(403);
    expect((await ask('GET', '/users/id:13', { as: 'alice' })).status).toBe(403);
    expect((await ask('GET', '/users', { as: 'alice' })).status).toBe(403);
    expect((await ask('GET', '/users/id:13', { as: 'root' })).body).toMatchObject({ username: 'bob' });
    expect((await ask('GET', '/users/id:14', { as: 'root' })).status).toBe(404);
    expect((await ask('GET', '/users', { as: 'root' })).body).toHaveLength(3);
  });

  test('answers a change with the account as it was, and revokes tokens by a new password', async () => {
    const token = await iam.issue('alice');
    const renamed = await ask('PATCH', '/users/self', { token, body: { username: 'alicia' } });
    expect(renamed).toMatchObject({ status: 200, body: { username: 'alice' } });
    expect((await ask('PATCH', '/users/self', { token, body: { is_admin: true } })).status).toBe(403);
    expect((await ask('PATCH', '/users/self', { token, body: { username: 'root' } })).status).toBe(409);
    expect((await ask('PATCH', '/users/self', { token, body: { password: 'another one' } })).status).toBe(200);
    expect((await ask('GET', '/users/self/token', { token })).status).toBe(401);
  });

  test('issues tokens for admins, registers, and deletes for good', async () => {
    const { body } = await ask('POST', '/users/alice/token', { as: 'root', body: { duration: '1h30m' } });
    expect((await ask('GET', '/users/self/token', { token: body.token })).status).toBe(204);
    expect((await ask('POST', '/users/alice/token', { as: 'root', body: { duration: 'soon' } })).status).toBe(400);
    expect(await ask('POST', '/users', { body: { username: 'dora', password: 'x' } })).toMatchObject({ status: 201, body: { id: 14 } });
    expect((await ask('DELETE', '/users/self', { token: body.token })).status).toBe(200);
    expect((await ask('GET', '/users/self/token', { token: body.token })).status).toBe(404);
  });

  test('says so in the original form when asked for anything else', async () => {
    expect(await ask('GET', '/nothing')).toEqual({ status: 404, body: { message: 'API endpoint not found' } });
    expect(await ask('GET', '/users/self')).toEqual({ status: 401, body: { message: 'token required for this endpoint' } });
  });
});
