import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createGithub } from '#libs/github/create-github.js';
import { releasesOf } from '#libs/github/releases.js';
import { startGithubDouble } from './index.js';

const images = { owner: 'society', name: 'images' };
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'github-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(tag: string, name: string, content: string, at: string): Promise<string> {
  const folder = join(root, 'society', 'images', encodeURIComponent(tag));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), content);
  await utimes(join(folder, name), new Date(at), new Date(at));
  return folder;
}

describe('a folder of releases', () => {
  test('is read anew at each question, and unchanged by those who ask again or by a restart', async () => {
    await put('docker/v1.0.0', 'rootfs', 'one', '2026-01-01T00:00:00Z');
    const double = await startGithubDouble({ root });
    const github = createGithub(double.config());
    const first = await github.listReleases(images);
    expect((await github.listReleases(images, { known: first.listing })).changed).toBe(false);
    await put('docker/v1.1.0', 'rootfs', 'two', '2026-02-01T00:00:00Z');
    const second = await github.listReleases(images, { known: first.listing });
    expect(releasesOf(second.listing).map(({ tag }) => tag)).toEqual(['docker/v1.1.0', 'docker/v1.0.0']);
    expect(releasesOf(second.listing)[1]).toMatchObject({ ...releasesOf(first.listing)[0] });
    const asset = releasesOf(second.listing)[0]?.assets[0];
    if (!asset) throw new Error('there is no asset');
    expect(await text((await github.openAsset(images, asset)).body)).toBe('two');
    await github.close();
    await double.close();
    const again = await startGithubDouble({ root });
    const other = createGithub(again.config());
    const third = releasesOf((await other.listReleases(images)).listing);
    expect(third.map(({ id, assets }) => [id, assets[0]?.id])).toEqual(
      releasesOf(second.listing).map(({ id, assets }) => [id, assets[0]?.id]),
    );
    await expect(other.listReleases({ owner: 'society', name: 'nothing' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await other.close();
    await again.close();
  });

  test('shows a changed file as another asset, no hidden ones, and what .release.json says', async () => {
    const folder = await put('docker/v1.0.0', 'rootfs', 'one', '2026-01-01T00:00:00Z');
    await put('docker/v1.0.0', '.rootfs2', 'half', '2026-01-01T00:00:00Z');
    const about = { body: 'text', prerelease: true, publishedAt: '2026-05-06T07:08:09Z' };
    await writeFile(join(folder, '.release.json'), JSON.stringify(about));
    const double = await startGithubDouble({ root });
    const github = createGithub(double.config());
    const [before] = releasesOf((await github.listReleases(images)).listing);
    expect(before).toMatchObject({ body: 'text', prerelease: true, publishedAt: '2026-05-06T07:08:09.000Z', assets: [{ name: 'rootfs' }] });
    await rename(join(folder, '.rootfs2'), join(folder, 'rootfs'));
    const [after] = releasesOf((await github.listReleases(images)).listing);
    expect(after?.id).toBe(before?.id);
    expect(after?.assets[0]?.id).not.toBe(before?.assets[0]?.id);
    await github.close();
    await double.close();
  });
});
