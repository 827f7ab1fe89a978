import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGithub } from './create-github.js';
import { releasesOf } from './releases.js';
import type { Github, ReleaseAsset } from './types.js';

const images = { owner: 'society', name: 'images' };
const TOKEN = 'ghp_verySecretIndeed1234';
let double: GithubDouble;
let github: Github;
let folder: string;
let tokenFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'github-'));
  tokenFile = join(folder, 'token');
  await writeFile(tokenFile, TOKEN);
  double = await startGithubDouble();
  double.access.tokens.add(TOKEN);
  await double.publish('society/images', { tag: 'a/v1.0.0', files: { rootfs: { sizeBytes: 1_000_000 } } });
  github = createGithub(double.config({ timeoutMs: 400, auth: { kind: 'token', tokenFile }, downloads: 'api' }));
});
afterEach(async () => {
  await github.close();
  await double.close();
  await rm(folder, { recursive: true, force: true });
});

async function anAsset(): Promise<ReleaseAsset> {
  const asset = releasesOf((await github.listReleases(images)).listing)[0]?.assets[0];
  if (!asset) throw new Error('there is no asset');
  return asset;
}

describe('a listing', () => {
  test.each([
    ['500', (d: GithubDouble) => d.faults.error(500, 'Server Error'), 'UNAVAILABLE'],
    [
      '502 with a page',
      (d: GithubDouble) => d.faults.add({ kind: 'answer', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }),
      'UNAVAILABLE',
    ],
    ['a dropped socket', (d: GithubDouble) => d.faults.drop(), 'UNAVAILABLE'],
    ['silence', (d: GithubDouble) => d.faults.hang(), 'UNAVAILABLE'],
    ['a refused token', (d: GithubDouble) => d.access.tokens.clear(), 'DENIED_UPSTREAM'],
    ['403', (d: GithubDouble) => d.faults.error(403, 'Resource not accessible by integration'), 'DENIED_UPSTREAM'],
    ['404', (d: GithubDouble) => d.faults.error(404, 'Not Found'), 'NOT_FOUND'],
    ['451', (d: GithubDouble) => d.faults.error(451, 'Repository access blocked'), 'NOT_FOUND'],
    [
      'another form',
      (d: GithubDouble) => d.faults.add({ kind: 'answer', status: 200, headers: { 'content-type': 'application/json' }, body: '{"a":1}' }),
      'PROTOCOL',
    ],
    [
      'half of a text',
      (d: GithubDouble) => d.faults.add({ kind: 'answer', status: 200, headers: { 'content-type': 'application/json' }, body: '[{"id":' }),
      'PROTOCOL',
    ],
    ['a redirect to nowhere', (d: GithubDouble) => d.faults.add({ kind: 'answer', status: 302 }), 'PROTOCOL'],
    ['redirects without end', (d: GithubDouble) => d.faults.redirect('/repos/society/images/releases'), 'FORBIDDEN'],
    ['a redirect to another host', (d: GithubDouble) => d.faults.redirect('https://example.invalid/?token=1'), 'FORBIDDEN'],
  ] as const)('answered by %s is %3$s, within its time, without another try', async (_name, fault, code) => {
    fault(double);
    const begun = Date.now();
    const failure = await github.listReleases(images).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(Date.now() - begun).toBeLessThan(2_000);
    expect(double.requests.length).toBe(_name === 'redirects without end' ? 6 : 1);
  });

  test('is aborted by its caller', async () => {
    double.faults.hang();
    const abort = new AbortController();
    const asked = github.listReleases(images, { signal: abort.signal }).catch((error: unknown) => error);
    abort.abort(new Error('no longer wanted'));
    expect(await asked).toMatchObject({ message: 'no longer wanted' });
  });

  test('a token file that is away, empty or no token is a refused credential, told without its content', async () => {
    for (const content of [undefined, '\n', 'two words\nand more']) {
      if (content === undefined) await rm(tokenFile);
      else await writeFile(tokenFile, content);
      const failure = await github.listReleases(images).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'DENIED_UPSTREAM' });
      expect(inspect(failure)).not.toContain('two words');
    }
  });
});

describe('a download', () => {
  test('that falls silent ends after the idle time', async () => {
    const asset = await anAsset();
    double.faults.add({ kind: 'stall', afterBytes: 100_000 }, { match: /storage/ });
    const begun = Date.now();
    const { body } = await github.openAsset(images, asset);
    await expect(buffer(body)).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'timeout' } });
    expect(Date.now() - begun).toBeLessThan(3_000);
  });

  test('that is slow but never silent for so long comes to its end', async () => {
    await double.publish('society/images', { tag: 'a/v2.0.0', files: { rootfs: { sizeBytes: 20_000 } } });
    const asset = await anAsset();
    double.faults.add({ kind: 'slow', bytesPerSecond: 20_000 }, { match: /storage/ });
    const begun = Date.now();
    const { body } = await github.openAsset(images, asset);
    expect((await buffer(body)).length).toBe(20_000);
    expect(Date.now() - begun).toBeGreaterThan(800);
  });

  test('is aborted by its caller, at once', async () => {
    const asset = await anAsset();
    double.faults.add({ kind: 'stall', afterBytes: 10 }, { match: /storage/ });
    const abort = new AbortController();
    const { body } = await github.openAsset(images, asset, { signal: abort.signal });
    const read = buffer(body).catch((error: unknown) => error);
    abort.abort(new Error('no longer wanted'));
    expect(await read).toMatchObject({ message: 'no longer wanted' });
  });

  test('of more or fewer bytes than announced is no answer of GitHub', async () => {
    const asset = await anAsset();
    await double.store.corruptAsset('society/images', 'a/v1.0.0', 'rootfs', { sizeBytes: 1_000_001 });
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code: 'PROTOCOL' });
  });

  test('whose signed address has expired can be tried again', async () => {
    const asset = await anAsset();
    double.storage.addressLivesMs = -1;
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'expired-address' } });
    double.storage.addressLivesMs = 60_000;
    expect((await buffer((await github.openAsset(images, asset)).body)).length).toBe(1_000_000);
  });

  test.each([
    [500, 'UNAVAILABLE'],
    [404, 'NOT_FOUND'],
    [429, 'RATE_LIMITED'],
  ])('that the storage answers with %i is %s', async (status, code) => {
    const asset = await anAsset();
    double.faults.add({ kind: 'answer', status, body: '<Error/>' }, { match: /storage/ });
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code });
  });
});

test('no error tells the token or the signature of an address', async () => {
  const asset = await anAsset();
  const failures: unknown[] = [];
  const attempts: (() => void)[] = [
    () => double.faults.add({ kind: 'drop' }, { match: /storage/ }),
    () =>
      double.faults.add(
        { kind: 'answer', status: 403, headers: { 'content-type': 'application/json' }, body: '{"message":"sig=abc"}' },
        { match: /storage/ },
      ),
    () => double.faults.redirect(`https://example.invalid/x?sig=SIGNATURE&token=${TOKEN}`),
    () => double.faults.error(500, 'oops'),
    () => double.faults.drop(),
    () => double.access.tokens.clear(),
  ];
  for (const attempt of attempts) {
    double.faults.clear();
    attempt();
    failures.push(await github.openAsset(images, asset).catch((error: unknown) => error));
    failures.push(await github.listReleases(images).catch((error: unknown) => error));
  }
  const told = inspect(failures, { depth: 12 });
  expect(failures.filter((failure) => failure instanceof Error).length).toBeGreaterThanOrEqual(9);
  expect(told).not.toContain(TOKEN);
  expect(told).not.toMatch(/SIGNATURE|[?&]sig=/);
});
