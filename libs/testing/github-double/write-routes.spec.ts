import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type GithubDouble, startGithubDouble } from './index.js';

const REPOSITORY = 'society/images';
let double: GithubDouble;
beforeEach(async () => {
  double = await startGithubDouble();
  double.store.create(REPOSITORY);
  double.access.tokens.add('good');
});
afterEach(() => double.close());

async function ask(
  method: string,
  url: string,
  body?: string,
  token = 'good',
): Promise<{ status: number; value: Record<string, unknown> }> {
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await answer.text();
  return { status: answer.status, value: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}
const releases = (path = '') => `${double.url}/repos/${REPOSITORY}/releases${path}`;
const draft = JSON.stringify({ tag_name: 'hello/v1.0.0', name: 'hello', body: 'text', draft: true });

describe('releases that are made by the API', () => {
  it('a draft is seen with a credential only, takes assets, and is everybody’s once it is published', async () => {
    const { status, value } = await ask('POST', releases(), draft);
    expect([status, value]).toMatchObject([201, { draft: true, published_at: null, tag_name: 'hello/v1.0.0', body: 'text' }]);
    const upload = `${value['upload_url']}`.replace(/\{.*/, '');
    const asset = await ask('POST', `${upload}?name=a.txt`, 'hello');
    expect([asset.status, asset.value]).toMatchObject([
      201,
      { name: 'a.txt', size: 5, digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', state: 'uploaded' },
    ]);
    expect((await ask('POST', `${upload}?name=a.txt`, 'again')).status).toBe(422);
    expect((await ask('GET', releases(), undefined, '')).value).toEqual([]);
    expect((await ask('GET', releases())).value).toMatchObject([{ draft: true }]);
    const published = await ask('PATCH', `${value['url']}`, JSON.stringify({ draft: false }));
    expect(published).toMatchObject({ status: 200, value: { draft: false, body: 'text', assets: [{ name: 'a.txt' }] } });
    expect((await ask('GET', releases(), undefined, '')).value).toMatchObject([{ draft: false }]);
    const address = (published.value['assets'] as { browser_download_url: string }[])[0]?.browser_download_url ?? '';
    expect(await (await fetch(address)).text()).toBe('hello');
  });

  it('a draft can be thrown away', async () => {
    const { value } = await ask('POST', releases(), draft);
    expect((await ask('POST', releases(), draft)).status).toBe(422);
    expect((await ask('DELETE', `${value['url']}`)).status).toBe(204);
    expect((await ask('GET', releases())).value).toEqual([]);
  });

  it('nobody writes without a good credential, into what is not there, or what is not offered', async () => {
    expect((await ask('POST', releases(), draft, '')).status).toBe(401);
    expect((await ask('POST', releases(), draft, 'bad')).status).toBe(401);
    expect((await ask('POST', `${double.url}/repos/nobody/nothing/releases`, draft)).status).toBe(404);
    expect((await ask('PATCH', releases('/1'), '{}')).status).toBe(404);
    expect((await ask('PUT', releases(), '{}')).status).toBe(404);
  });
});
