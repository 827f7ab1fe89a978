import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type GithubDouble, startGithubDouble } from '../index.js';
import { description, problemsOf, schemaOf } from '../openapi-check.js';

// The description's schemas are compiled on first use.
jest.setTimeout(30_000);
const REPO = '/repos/{owner}/{repo}';
const TEXT = 'image: lxd:1\nreplicas: 3\nprobes: true\n';

describe(`repositories with files answer as GitHub's OpenAPI description ${description.source.version} says`, () => {
  let double: GithubDouble;
  beforeAll(async () => {
    double = await startGithubDouble({ controls: 'http' });
    double.access.tokens.add('t1').add('reader');
    double.access.readOnly.add('reader');
    double.repository('society/flux', { 'a b/values.yaml': TEXT });
  });
  afterAll(() => double.close());

  async function ask(
    method: string,
    path: string,
    body?: object,
    token = 't1',
  ): Promise<{ status: number; value: Record<string, unknown> }> {
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${double.url}/repos/society/flux${path}`, {
      method,
      headers,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    return { status: answer.status, value: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }

  /** Asks, and holds the answer to the description. */
  async function held(method: string, template: string, path: string, { status, body }: { status: number; body?: object }) {
    const answer = await ask(method, path, body);
    const schema = schemaOf(method.toLowerCase(), `${REPO}${template}`, status);
    expect([answer.status, schema === null ? [] : problemsOf(answer.value, schema)]).toEqual([status, []]);
    return answer.value;
  }

  const content = (text: string) => Buffer.from(text).toString('base64');
  const base = async () => ((await ask('GET', '/git/ref/heads/main')).value as { object: { sha: string } }).object.sha;
  const file = async (ref: string) =>
    (await ask('GET', `/contents/a%20b/values.yaml?ref=${ref}`)).value as { sha: string; content: string };

  async function proposed(
    branch: string,
    change: (text: string) => string = (text) => text.replace(/lxd:\w+/, `lxd:${branch}`),
  ): Promise<number> {
    await ask('POST', '/git/refs', { ref: `refs/heads/${branch}`, sha: await base() });
    const { sha, content: now } = await file(branch);
    const text = change(Buffer.from(now, 'base64').toString());
    await ask('PUT', '/contents/a%20b/values.yaml', { branch, sha, message: 'change', content: content(text) });
    return (await ask('POST', '/pulls', { head: branch, base: 'main', title: branch, body: 'text' })).value['number'] as number;
  }

  test('branch, file, commit, pull request, checks, merge', async () => {
    const sha = await base();
    await held('GET', '/git/ref/{ref}', '/git/ref/heads/main', { status: 200 });
    await held('GET', '/git/ref/{ref}', '/git/ref/heads/none', { status: 404 });
    await held('POST', '/git/refs', '/git/refs', { status: 201, body: { ref: 'refs/heads/x/one', sha } });
    await held('POST', '/git/refs', '/git/refs', { status: 422, body: { ref: 'refs/heads/x/one', sha } });
    const path = '/contents/a%20b/values.yaml';
    const found = await held('GET', '/contents/{path}', `${path}?ref=x/one`, { status: 200 });
    expect(Buffer.from(`${found['content']}`, 'base64').toString()).toBe(TEXT);
    await held('GET', '/contents/{path}', `/contents/none?ref=x/one`, { status: 404 });
    await held('GET', '/contents/{path}', `/contents/a%20b?ref=x/one`, { status: 200 });
    const change = { branch: 'x/one', message: 'change', content: content(TEXT.replace('lxd:1', 'lxd:2')) };
    await held('PUT', '/contents/{path}', path, { status: 422, body: change });
    await held('PUT', '/contents/{path}', path, { status: 409, body: { ...change, sha } });
    const pull = { head: 'x/one', base: 'main', title: 'two', body: 'text' };
    await held('POST', '/pulls', '/pulls', { status: 422, body: pull });
    await held('PUT', '/contents/{path}', path, { status: 200, body: { ...change, sha: found['sha'] } });
    const { number, head } = (await held('POST', '/pulls', '/pulls', { status: 201, body: pull })) as {
      number: number;
      head: { sha: string };
    };
    await held('POST', '/pulls', '/pulls', { status: 422, body: pull });
    double.person('society/flux', 'ci').check(number, 'build', 'passed');
    double.person('society/flux', 'ci').check(number, 'lint', 'pending', 'status');
    const runs = await held('GET', '/commits/{ref}/check-runs', `/commits/${head.sha}/check-runs`, { status: 200 });
    expect(runs).toMatchObject({ total_count: 1, check_runs: [{ name: 'build', conclusion: 'success' }] });
    expect(await held('GET', '/commits/{ref}/status', `/commits/${head.sha}/status`, { status: 200 })).toMatchObject({ state: 'pending' });
    const one = await held('GET', '/pulls/{pull_number}', `/pulls/${number}`, { status: 200 });
    expect(one).toMatchObject({ mergeable: true, mergeable_state: 'unstable', merged: false, commits: 1, changed_files: 1 });
    await held('PUT', '/pulls/{pull_number}/merge', `/pulls/${number}/merge`, { status: 409, body: { sha } });
    await held('PUT', '/pulls/{pull_number}/merge', `/pulls/${number}/merge`, { status: 200, body: { sha: head.sha } });
    await held('PUT', '/pulls/{pull_number}/merge', `/pulls/${number}/merge`, { status: 405 });
    expect(await held('GET', '/pulls/{pull_number}', `/pulls/${number}`, { status: 200 })).toMatchObject({
      ...{ merged: true, state: 'closed', merged_by: { login: 'webspaces-bot' }, commits: 1, changed_files: 1 },
    });
    const commits = await held('GET', '/commits', '/commits?path=a%20b/values.yaml&sha=main', { status: 200 });
    expect((commits as unknown as { commit: { message: string } }[]).map(({ commit }) => commit.message.split('\n')[0])).toEqual([
      'Merge pull request #1 from x/one',
      'change',
      'First files',
    ]);
    await held('GET', '/commits/{ref}', `/commits/${head.sha}`, { status: 200 });
    await held('DELETE', '/git/refs/{ref}', '/git/refs/heads/x/one', { status: 204 });
    await held('DELETE', '/git/refs/{ref}', '/git/refs/heads/x/one', { status: 422 });
    await held('GET', '/pulls', '/pulls?head=society:x/one&state=all', { status: 200 });
  });

  test('a change of the same line by a person is a conflict, one of another line is not', async () => {
    const number = await proposed('near');
    const person = double.person('society/flux', 'bob');
    person.push('a b/values.yaml', 'probes: true', 'probes: false');
    expect((await ask('GET', `/pulls/${number}`)).value).toMatchObject({ mergeable: true });
    person.push('a b/values.yaml', 'lxd:2', 'lxd:bob');
    expect((await ask('GET', `/pulls/${number}`)).value).toMatchObject({ mergeable: false, mergeable_state: 'dirty' });
    await held('PUT', '/pulls/{pull_number}/merge', `/pulls/${number}/merge`, { status: 405 });
    await held('PATCH', '/pulls/{pull_number}', `/pulls/${number}`, { status: 200, body: { state: 'closed' } });
    expect(await held('GET', '/issues/{issue_number}', `/issues/${number}`, { status: 200 })).toMatchObject({
      ...{ state: 'closed', closed_by: { login: 'webspaces-bot' } },
    });
  });

  test('people are played by requests: a check that fails, a merge, a revert', async () => {
    const act = async (action: string, body: object) =>
      (await fetch(`${double.url}/_simulator/society/flux/${action}`, { method: 'POST', body: JSON.stringify(body) })).status;
    const before = (await file('main')).content;
    const number = await proposed('played');
    expect(await act('check', { number, name: 'build', state: 'failed' })).toBe(200);
    expect((await ask('GET', `/pulls/${number}`)).value).toMatchObject({ mergeable_state: 'unstable' });
    expect(await act('merge', { number, by: 'bob' })).toBe(200);
    expect((await file('main')).content).not.toBe(before);
    expect(await act('revert', { number, by: 'bob' })).toBe(200);
    expect((await file('main')).content).toBe(before);
    expect([await act('merge', { number }), await act('dance', {})]).toEqual([422, 404]);
  });

  test('nobody writes without a credential that may', async () => {
    const body = { ref: 'refs/heads/y', sha: await base() };
    expect((await ask('POST', '/git/refs', body, '')).status).toBe(401);
    expect((await ask('POST', '/git/refs', body, 'reader')).status).toBe(403);
    expect((await ask('GET', '/git/ref/heads/y', undefined, 'reader')).status).toBe(404);
  });
});
