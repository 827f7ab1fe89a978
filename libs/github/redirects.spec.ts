import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '#libs/testing/certificates.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { createGithub } from './create-github.js';
import { releasesOf } from './releases.js';
import type { Github, ReleaseAsset } from './types.js';

const images = { owner: 'society', name: 'images' };
let double: GithubDouble;
let asset: ReleaseAsset;
let clients: Github[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'github-'));
  double = await startGithubDouble();
  await double.publish('society/images', { tag: 'a/v1.0.0', files: { rootfs: 'bytes' } });
  const found = releasesOf((await client().listReleases(images)).listing)[0]?.assets[0];
  if (!found) throw new Error('there is no asset');
  asset = found;
});
afterEach(async () => {
  for (const made of clients) await made.close();
  clients = [];
  await double.close();
  await rm(folder, { recursive: true, force: true });
});

function client(settings: Parameters<GithubDouble['config']>[0] = {}): Github {
  const made = createGithub(double.config(settings));
  clients.push(made);
  return made;
}

async function bystander(): Promise<{ host: string; asked: string[]; close: () => void }> {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.url} ${incoming.headers.authorization ?? 'no credential'}`);
    outgoing.end('bytes');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close: () => server.close() };
}

describe('a redirect of an asset', () => {
  test.each([
    'localhost',
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f.1',
    '10.0.0.1',
    '169.254.169.254',
    '[fd00:ec2::254]',
  ])('to %s, whose host is allowed, is refused for its address', async (host) => {
    const url = new URL(`http://${host}:1/secret?sig=1`);
    double.faults.redirect(url.href, { match: / web / });
    const github = client({ allowPrivateAddresses: false, assetHosts: [] });
    const allowing = createGithub({ ...double.config({ allowPrivateAddresses: false }), assetHosts: [url.host] });
    clients.push(allowing);
    await expect(allowing.openAsset(images, asset)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'private-address' } });
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'foreign-host' } });
  });

  test('to another host is refused, and that host is not asked', async () => {
    const other = await bystander();
    double.faults.redirect(`http://${other.host}/x`, { match: / web / });
    await expect(client().openAsset(images, asset)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'foreign-host' } });
    expect(other.asked).toEqual([]);
    other.close();
  });

  test('to a host that is allowed, at a port that is not', async () => {
    const github = client({ assetHosts: ['127.0.0.1'] });
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'foreign-host' } });
    expect(double.counts.storage).toBe(0);
  });

  test.each(['http://127.0.0.1:1/', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'data:text/plain,x'])(
    'from https to %s is refused',
    async (to) => {
      const certificate = await makeCertificate(folder, 'github');
      const secure = await startGithubDouble({ tls: certificate });
      await secure.publish('society/images', { tag: 'a/v1.0.0', files: { rootfs: 'bytes' } });
      const github = createGithub(secure.config({ caFile: certificate.certFile }));
      clients.push(github);
      const secured = releasesOf((await github.listReleases(images)).listing)[0]?.assets[0] ?? asset;
      expect((await buffer((await github.openAsset(images, secured)).body)).toString()).toBe('bytes');
      secure.faults.redirect(to, { match: / web / });
      await expect(github.openAsset(images, secured)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'not-https' } });
      await secure.close();
    },
  );

  test('with a password in it is refused', async () => {
    double.faults.redirect(double.storageUrl.replace('//', '//user:secret@'), { match: / web / });
    await expect(client().openAsset(images, asset)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'userinfo' } });
  });

  test('to itself ends after five', async () => {
    double.faults.redirect(asset.downloadUrl);
    await expect(client().openAsset(images, asset)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'redirects' } });
    expect(double.counts.web).toBe(6);
  });

  test('takes no credential along, not even back to the API', async () => {
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 't1');
    double.access.tokens.add('t1');
    const other = await bystander();
    const github = client({ auth: { kind: 'token', tokenFile }, downloads: 'api', assetHosts: [other.host, double.storageHost] });
    double.faults.redirect(`http://${other.host}/x`, { match: / api / });
    expect((await buffer((await github.openAsset(images, asset)).body)).toString()).toBe('bytes');
    expect(other.asked).toEqual(['/x no credential']);
    double.faults.clear();
    double.faults.redirect(`${double.storageUrl}/back`, { match: / api /, times: 1 });
    double.faults.redirect(`${double.url}/repos/society/images/releases/assets/${asset.id}`, { match: /storage \/back/, times: 1 });
    double.access.makePrivate('society/images');
    await expect(github.openAsset(images, asset)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    other.close();
  });
});

test('an asset whose address lies elsewhere is refused', async () => {
  const elsewhere = { ...asset, downloadUrl: 'https://example.invalid/rootfs' };
  await expect(client().openAsset(images, elsewhere)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'foreign-host' } });
});

test.each([
  { owner: '..', name: 'images' },
  { owner: 'a/b', name: 'images' },
  { owner: 'society', name: '..' },
  { owner: 'society', name: 'a?b' },
])('nothing is asked for the repository %p', async (repository) => {
  double.resetCounts();
  await expect(client().listReleases(repository)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await expect(client().openAsset(repository, asset)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(double.requests).toEqual([]);
});
