import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGithub } from './create-github.js';
import { releasesOf } from './releases.js';
import type { Github } from './types.js';

const images = { owner: 'society', name: 'images' };
const REPOSITORY = 'society/images';
let double: GithubDouble;
let github: Github;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'github-'));
  double = await startGithubDouble();
  github = createGithub(double.config());
});
afterEach(async () => {
  await github.close();
  await double.close();
  await rm(folder, { recursive: true, force: true });
});

async function publishMany(count: number): Promise<void> {
  for (let at = 1; at <= count; at += 1) {
    await double.publish(REPOSITORY, {
      tag: `docker/v1.0.${at}`,
      files: { 'a.txt': 'a' },
      publishedAt: new Date(1_700_000_000_000 + at * 60_000),
    });
  }
}

async function withToken(token: string): Promise<{ client: Github; file: string }> {
  const file = join(folder, 'token');
  await writeFile(file, `${token}\n`);
  return { client: createGithub(double.config({ auth: { kind: 'token', tokenFile: file } })), file };
}

describe('releases', () => {
  test('are read with their assets, without drafts', async () => {
    await double.publish(REPOSITORY, {
      ...{ tag: 'docker/v1.0.0', files: { 'lxd.amd64.tar.xz': 'metadata' }, body: 'text', prerelease: true, immutable: true },
      publishedAt: new Date('2026-01-02T03:04:05Z'),
    });
    await double.publish(REPOSITORY, {
      tag: 'docker/v0.9.0',
      files: { old: 'x' },
      digest: 'none',
      publishedAt: new Date('2025-01-01T00:00:00Z'),
    });
    await double.publish(REPOSITORY, { tag: 'docker/v2.0.0', draft: true });
    double.access.tokens.add('t1');
    const { client } = await withToken('t1');
    const { listing, calls, changed, rate } = await client.listReleases(images);
    await client.close();
    const [first, second, ...rest] = releasesOf(listing);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({
      tag: 'docker/v1.0.0',
      prerelease: true,
      immutable: true,
      body: 'text',
      publishedAt: '2026-01-02T03:04:05.000Z',
    });
    expect(first?.assets[0]).toMatchObject({
      name: 'lxd.amd64.tar.xz',
      sizeBytes: 8,
      uploaded: true,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(second?.assets[0]).not.toHaveProperty('sha256');
    expect({ calls, changed, limit: rate.limit, remaining: rate.remaining }).toEqual({
      calls: 1,
      changed: true,
      limit: 5000,
      remaining: 4999,
    });
  });

  test('500 come in five pages, by the addresses that GitHub gives', async () => {
    await publishMany(500);
    const { listing, calls } = await github.listReleases(images);
    expect(calls).toBe(5);
    expect(listing.pages.map(({ releases, hasNext }) => [releases.length, hasNext])).toEqual([
      [100, true],
      [100, true],
      [100, true],
      [100, true],
      [100, false],
    ]);
    expect(new Set(releasesOf(listing).map(({ tag }) => tag)).size).toBe(500);
    expect(releasesOf(listing)[0]?.tag).toBe('docker/v1.0.500');
    expect(double.requests[1]).toMatch(/^GET api \/repositories\/\d+\/releases\?per_page=100&page=2$/);
  });

  test('unchanged ones cost one conditional call, which is free with a token', async () => {
    await publishMany(250);
    double.access.tokens.add('t1');
    const { client } = await withToken('t1');
    const before = await client.listReleases(images);
    const again = await client.listReleases(images, { known: before.listing, depth: 'first' });
    expect(again).toMatchObject({ changed: false, calls: 1, rate: { remaining: before.rate.remaining } });
    expect(again.listing).toEqual(before.listing);
    expect(double.counts).toMatchObject({ list: 4, notModified: 1 });
    const all = await client.listReleases(images, { known: before.listing });
    expect(all).toMatchObject({ changed: false, calls: 3 });
    await client.close();
  });

  test('a new one is seen with depth first, and none is lost that moved to another page', async () => {
    await publishMany(200);
    const before = await github.listReleases(images);
    await double.publish(REPOSITORY, { tag: 'docker/v9.0.0' });
    const after = await github.listReleases(images, { known: before.listing, depth: 'first' });
    expect(after.changed).toBe(true);
    expect(releasesOf(after.listing).map(({ tag }) => tag)).toHaveLength(201);
  });

  test('a removed last page is a change', async () => {
    await publishMany(101);
    const before = await github.listReleases(images);
    double.store.remove(REPOSITORY, 'docker/v1.0.1');
    const after = await github.listReleases(images, { known: before.listing });
    expect([after.changed, releasesOf(after.listing).length]).toEqual([true, 100]);
  });

  test('a rotated token is taken up at once, and its ETags are its own', async () => {
    await publishMany(1);
    for (const token of ['t1', 't2']) double.access.tokens.add(token);
    const { client, file } = await withToken('t1');
    const first = await client.listReleases(images);
    await writeFile(file, 't2');
    double.access.tokens.delete('t1');
    const second = await client.listReleases(images, { known: first.listing });
    expect(second).toMatchObject({ changed: true, calls: 1 });
    expect(JSON.stringify(second.listing)).not.toMatch(/t[12]"/);
    const third = await client.listReleases(images, { known: second.listing });
    expect(third.changed).toBe(false);
    expect(double.counts.notModified).toBe(1);
    await client.close();
  });

  test('a repository that moved is followed', async () => {
    await double.publish('society/new-images', { tag: 'docker/v1.0.0' });
    double.move(REPOSITORY, 'society/new-images');
    const { listing, calls } = await github.listReleases(images);
    expect(releasesOf(listing)[0]?.tag).toBe('docker/v1.0.0');
    expect(calls).toBe(2);
  });

  test('a private repository is there for those with a credential', async () => {
    await publishMany(1);
    double.access.makePrivate(REPOSITORY);
    double.access.tokens.add('t1');
    const { client } = await withToken('t1');
    expect(releasesOf((await client.listReleases(images)).listing)).toHaveLength(1);
    await expect(github.listReleases(images)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await client.close();
  });
});
