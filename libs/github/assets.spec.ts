import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { GithubConfig } from '#libs/config/github.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGithub } from './create-github.js';
import { releasesOf } from './releases.js';
import type { AssetBytes, Github, ReleaseAsset } from './types.js';

const images = { owner: 'society', name: 'images' };
const REPOSITORY = 'society/images';
const TEXT = 'the bytes of a root file system';
let double: GithubDouble;
let clients: Github[];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'github-'));
  double = await startGithubDouble();
  clients = [];
  await double.publish(REPOSITORY, { tag: 'docker/v1.0.0', files: { 'rootfs.amd64.squashfs': TEXT } });
});
afterEach(async () => {
  for (const client of clients) await client.close();
  await double.close();
  await rm(folder, { recursive: true, force: true });
});

function client(settings: Parameters<GithubDouble['config']>[0] = {}): Github {
  const made = createGithub(double.config(settings) as GithubConfig);
  clients.push(made);
  return made;
}

async function withToken(): Promise<Github> {
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'ghp_secret');
  double.access.tokens.add('ghp_secret');
  return client({ auth: { kind: 'token', tokenFile }, downloads: 'api' });
}

async function assetOf(github: Github, tag = 'docker/v1.0.0'): Promise<ReleaseAsset> {
  const { listing } = await github.listReleases(images);
  const asset = releasesOf(listing).find((release) => release.tag === tag)?.assets[0];
  if (!asset) throw new Error(`no asset in ${tag}`);
  return asset;
}

async function textOf({ body }: AssetBytes): Promise<string> {
  return (await buffer(body)).toString();
}

describe('an asset', () => {
  test('of a public repository is read by its browser address: no call to the API, no credential', async () => {
    const github = client();
    const asset = await assetOf(github);
    double.resetCounts();
    const opened = await github.openAsset(images, asset);
    expect([opened.startsAt, opened.totalBytes, await textOf(opened)]).toEqual([0, TEXT.length, TEXT]);
    expect(double.counts).toMatchObject({ api: 0, web: 1, storage: 1, leaked: 0 });
    expect(github.anonymousDownloads).toBe(true);
  });

  test('of a private repository is read through the API, and the storage never sees the credential', async () => {
    double.access.makePrivate(REPOSITORY);
    const github = await withToken();
    const asset = await assetOf(github);
    expect(await textOf(await github.openAsset(images, asset))).toBe(TEXT);
    expect(double.counts).toMatchObject({ asset: 1, storage: 1, leaked: 0 });
    expect(github.anonymousDownloads).toBe(false);
    await expect(client().openAsset(images, asset)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is read in part', async () => {
    const github = client();
    const asset = await assetOf(github);
    const tail = await github.openAsset(images, asset, { from: 10 });
    expect([tail.startsAt, tail.totalBytes, await textOf(tail)]).toEqual([10, TEXT.length, TEXT.slice(10)]);
    const middle = await github.openAsset(images, asset, { from: 4, to: 8 });
    expect([middle.startsAt, await textOf(middle)]).toEqual([4, TEXT.slice(4, 9)]);
    await expect(github.openAsset(images, asset, { from: TEXT.length })).rejects.toMatchObject({ code: 'PROTOCOL' });
    double.faults.add({ kind: 'ignore-range' }, { match: /storage/ });
    const whole = await github.openAsset(images, asset, { from: 10 });
    expect([whole.startsAt, await textOf(whole)]).toEqual([0, TEXT]);
  });

  test('that was cut can be taken up where it ended', async () => {
    await double.publish(REPOSITORY, { tag: 'big/v1.0.0', files: { big: { sizeBytes: 3_000_000 } } });
    const github = client();
    const asset = await assetOf(github, 'big/v1.0.0');
    double.faults.add({ kind: 'cut', afterBytes: 1_000_000 }, { match: /storage/, times: 1 });
    const parts: Buffer[] = [];
    const opened = await github.openAsset(images, asset);
    const failure = await (async () => {
      for await (const chunk of opened.body) parts.push(chunk);
    })().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
    const from = Buffer.concat(parts).length;
    parts.push(await buffer((await github.openAsset(images, asset, { from })).body));
    const { createHash } = await import('node:crypto');
    expect(createHash('sha256').update(Buffer.concat(parts)).digest('hex')).toBe(asset.sha256);
    expect(double.counts.sentBytes).toBeLessThan(1.2 * 3_000_000);
  });
});
