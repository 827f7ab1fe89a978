import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { renderEvent } from './deliver.js';
import { type GithubDouble, startGithubDouble } from './index.js';
import { description, problemsOf, schemaOf } from './openapi-check.js';

const REPOSITORY = 'society/images';

describe(`the double answers as GitHub's OpenAPI description ${description.source.version} says`, () => {
  let double: GithubDouble;
  let releaseId = 0;
  let assetId = 0;

  beforeAll(async () => {
    const { publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    double = await startGithubDouble({ app: { appId: 1, installationId: 2, publicKey } });
    double.access.tokens.add('t1');
    await double.publish(REPOSITORY, { tag: 'docker/v1.0.0', files: { a: 'a' }, digest: 'none', prerelease: true, immutable: true });
    await double.publish(REPOSITORY, { tag: 'docker/v2.0.0', draft: true });
    const release = await double.publish(REPOSITORY, { tag: 'docker/v3.0.0', files: { 'a b#c': 'a' }, body: 'text' });
    releaseId = release.id;
    assetId = release.assets[0]?.id ?? 0;
  });
  afterAll(() => double.close());

  async function ask(
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<{ status: number; value: unknown; headers: Headers }> {
    const answer = await fetch(`${double.url}${path}`, { method, headers, redirect: 'manual' });
    const text = await answer.text();
    return { status: answer.status, value: text === '' ? null : JSON.parse(text), headers: answer.headers };
  }

  test('to listings, for those who see drafts too', async () => {
    const { status, value } = await ask(`/repos/${REPOSITORY}/releases`, { authorization: 'token t1' });
    expect([status, (value as unknown[]).length]).toEqual([200, 3]);
    expect(problemsOf(value, schemaOf('get', '/repos/{owner}/{repo}/releases', 200) ?? {})).toEqual([]);
  });

  test('to one release, by number and by tag', async () => {
    const byId = await ask(`/repos/${REPOSITORY}/releases/${releaseId}`);
    const byTag = await ask(`/repos/${REPOSITORY}/releases/tags/docker/v3.0.0`);
    expect(byTag.value).toEqual(byId.value);
    expect(problemsOf(byId.value, schemaOf('get', '/repos/{owner}/{repo}/releases/{release_id}', 200) ?? {})).toEqual([]);
    const known = description.schemas['release']?.properties ?? {};
    expect(Object.keys(byId.value as object).filter((key) => !(key in known))).toEqual([]);
  });

  test('to one asset, as text and as a redirect', async () => {
    const path = '/repos/{owner}/{repo}/releases/assets/{asset_id}';
    const text = await ask(`/repos/${REPOSITORY}/releases/assets/${assetId}`);
    expect(problemsOf(text.value, schemaOf('get', path, 200) ?? {})).toEqual([]);
    const known = description.schemas['release-asset']?.properties ?? {};
    expect(Object.keys(text.value as object).filter((key) => !(key in known))).toEqual([]);
    const bytes = await ask(`/repos/${REPOSITORY}/releases/assets/${assetId}`, { accept: 'application/octet-stream' });
    expect([bytes.status, schemaOf('get', path, 302)]).toEqual([302, null]);
  });

  test('to what is not there, and to a token that is not good', async () => {
    const missing = await ask('/repos/society/nothing/releases');
    expect([missing.status, problemsOf(missing.value, schemaOf('get', '/repos/{owner}/{repo}/releases', 404) ?? {})]).toEqual([404, []]);
    const denied = await ask('/app/installations/2/access_tokens', { authorization: 'bearer no.jwt.here' }, 'POST');
    const schema = schemaOf('post', '/app/installations/{installation_id}/access_tokens', 401) ?? {};
    expect([denied.status, problemsOf(denied.value, schema)]).toEqual([401, []]);
  });

  test.each(['published', 'edited', 'deleted'] as const)('in the event %s', async (action) => {
    const [release] = (await double.store.releases(REPOSITORY)) ?? [];
    if (!release) throw new Error('nothing is published');
    const event = renderEvent({ action, repository: REPOSITORY, release }, { apiUrl: double.url, webUrl: double.url });
    expect(problemsOf(event, description.webhooks[`release-${action}`] ?? {})).toEqual([]);
  });

  test('and the check sees a wrong answer', () => {
    const schema = schemaOf('get', '/repos/{owner}/{repo}/releases', 200) ?? {};
    expect(problemsOf([{ id: 'one' }], schema)).toContain('/0/id must be integer');
  });
});
