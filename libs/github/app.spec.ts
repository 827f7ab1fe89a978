import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGithub } from './create-github.js';
import { releasesOf } from './releases.js';
import type { Github } from './types.js';

const images = { owner: 'society', name: 'images' };
const HOUR_MS = 3_600_000;
let double: GithubDouble;
let github: Github;
let folder: string;
let now: number;

/** GitHub gives keys in the older form (PKCS #1). */
function keyPair(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'github-'));
  const { publicKey, privateKey } = keyPair();
  const privateKeyFile = join(folder, 'key.pem');
  await writeFile(privateKeyFile, privateKey);
  double = await startGithubDouble({ app: { appId: 12, installationId: 34, publicKey } });
  await double.publish('society/images', { tag: 'a/v1.0.0', files: { rootfs: 'bytes' } });
  double.access.makePrivate('society/images');
  now = Date.now();
  const auth = { kind: 'app', appId: 12, installationId: 34, privateKeyFile } as const;
  github = createGithub(double.config({ auth, downloads: 'api' }), { now: () => now });
});
afterEach(async () => {
  await github.close();
  await double.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a GitHub App', () => {
  test('asks for one installation token for all who wait, and for the next one before it ends', async () => {
    const [first] = await Promise.all([github.listReleases(images), github.listReleases(images), github.listReleases(images)]);
    expect(first).toMatchObject({ calls: 1, changed: true });
    expect(double.counts).toMatchObject({ token: 1, list: 3 });
    now += HOUR_MS - 301_000;
    await github.listReleases(images, { known: first.listing });
    expect(double.counts).toMatchObject({ token: 1, notModified: 1 });
    // More than any machine takes for the steps before: the token's time is the double's own.
    now += 120_000;
    const { changed } = await github.listReleases(images, { known: first.listing });
    expect(double.counts).toMatchObject({ token: 2, notModified: 1 });
    expect(changed).toBe(true);
  });

  test('whose token was revoked gets another one at the next question', async () => {
    await github.listReleases(images);
    double.access.revokeInstallationTokens();
    await expect(github.listReleases(images)).rejects.toMatchObject({ code: 'DENIED_UPSTREAM' });
    const { listing } = await github.listReleases(images);
    expect(double.counts.token).toBe(2);
    const asset = releasesOf(listing)[0]?.assets[0];
    if (!asset) throw new Error('there is no asset');
    double.access.revokeInstallationTokens();
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code: 'DENIED_UPSTREAM' });
    expect(await text((await github.openAsset(images, asset)).body)).toBe('bytes');
    expect(double.counts.token).toBe(3);
  });

  test('with another key is refused, and the key is not told', async () => {
    const { privateKey } = keyPair();
    await writeFile(join(folder, 'key.pem'), privateKey);
    const failure = await github.listReleases(images).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'DENIED_UPSTREAM' });
    expect(inspect(failure, { depth: 12 })).not.toMatch(/PRIVATE KEY|eyJ/);
  });

  test('with a file that is no key is refused without a call', async () => {
    await writeFile(join(folder, 'key.pem'), 'no key at all');
    const failure = await github.listReleases(images).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'DENIED_UPSTREAM' });
    expect(inspect(failure, { depth: 12 })).not.toContain('no key at all');
    expect(double.requests).toEqual([]);
  });

  test('is held up while GitHub is away, and asks again afterwards', async () => {
    double.faults.error(503, 'away', { match: /access_tokens/, times: 1 });
    await expect(github.listReleases(images)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await github.listReleases(images)).changed).toBe(true);
  });
});
