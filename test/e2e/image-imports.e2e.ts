import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import type { ImportImageResult } from '#libs/contracts/images.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { ImportLab } from '../support/image-imports.js';
import { githubSettings, ImageReleases, REPOSITORY, writeImageSettings } from '../support/image-releases.js';
import { type ImageServer, startImageServer } from '../support/image-server.js';
import { openSession, report, type Session } from '../support/lab-session.js';

let session: Session;
let imports: ImportLab;
let github: GithubDouble;
let releases: ImageReleases;
let server: ImageServer;

beforeAll(async () => {
  session = await openSession();
  github = await startGithubDouble();
  releases = new ImageReleases(github);
  server = await startImageServer();
  imports = await ImportLab.open(session);
  const settings = { ...githubSettings(github), servers: { allowPrivateAddresses: true, timeoutMs: 5_000 }, keep: 2 };
  writeImageSettings(session.lab, 'worker', settings);
  await session.lab.process('worker').restart();
}, 240_000);
afterAll(async () => {
  await imports?.close();
  await server?.close();
  releases?.close();
  await github?.close();
  await session?.close();
}, 180_000);

const githubOf = (image: string, version?: string) => `github:${REPOSITORY}/${image}${version === undefined ? '' : `@${version}`}`;

describe('imports from GitHub (row 58)', () => {
  it('bring the newest release in with its evidence, and a webspace is made of it', async () => {
    await releases.publish('hello/small', '1.9.0');
    const newest = await releases.publish('hello/small', '1.10.0');
    await github.publish(REPOSITORY, { tag: 'hello/small/v2.0.0', draft: true, files: releases.filesOf(await releases.make()) });
    await github.publish(REPOSITORY, { tag: 'hello/small/v3.0.0', prerelease: true, files: releases.filesOf(await releases.make()) });
    const { id, result } = await imports.run({ github: githubOf('hello/small'), alias: 'imported/Hello' });
    expect(result).toMatchObject({ alias: 'imported/Hello', version: '1.10.0', image: 'created', fingerprint: newest.fingerprint });
    const image = await imports.imageBehind('imported/Hello');
    expect(image?.fingerprint).toBe(newest.fingerprint);
    expect(image?.properties).toMatchObject({
      'webspaces.source': githubOf('hello/small'),
      'webspaces.version': '1.10.0',
      'webspaces.alias': 'imported/Hello',
      'webspaces.imported-by': 'admin',
      'webspaces.operation': id,
      'webspaces.release-id': expect.stringMatching(/^\d+$/),
      'webspaces.asset-ids': expect.stringMatching(/^\d+,\d+$/),
    });
    const member = session.members.one(0);
    await session.members.create(member, 'imported/Hello');
    const listed = await imports.list();
    const view = listed.images.find(({ fingerprint }) => fingerprint === newest.fingerprint);
    expect(view).toMatchObject({ usedBy: [member.webspace], evidence: { version: '1.10.0', importedBy: 'admin' } });
    await imports.nothingLeft();
  }, 180_000);

  it('take the version that is asked for, and pass over one that lacks the architecture', async () => {
    const old = await releases.publish('ranged', '1.4.0');
    await releases.publish('ranged', '2.0.0');
    await github.publish(REPOSITORY, { tag: 'ranged/v1.5.0', files: releases.filesOf(await releases.make(), 'arm64') });
    const { result } = await imports.run({ github: githubOf('ranged', '^1') });
    expect(result).toMatchObject({ version: '1.4.0', fingerprint: old.fingerprint });
    const missing = await imports.fails({ github: githubOf('ranged', '1.5.0') });
    expect(missing).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('x86_64') });
    expect(await imports.fails({ github: `github:${REPOSITORY}/nothing` })).toMatchObject({ code: 'NOT_FOUND' });
  }, 120_000);

  it('adopt an image of the same bytes that is there already, and add the evidence once', async () => {
    const image = await releases.publish('adopted', '1.0.0');
    await imports.importByHand(image);
    const { id, result } = await imports.run({ github: githubOf('adopted') });
    expect(result.image).toBe('adopted');
    expect((await imports.imageBehind('adopted'))?.properties['webspaces.operation']).toBe(id);
    const again = await imports.run({ github: githubOf('adopted'), alias: 'adopted-too' });
    expect(again.result).toMatchObject({ image: 'adopted', fingerprint: image.fingerprint });
    expect((await imports.imageBehind('adopted-too'))?.properties['webspaces.operation']).toBe(id);
  }, 120_000);

  it('keep the last two versions, and those that a webspace is made of', async () => {
    const versions = [];
    for (const version of ['1.0.0', '1.1.0']) {
      versions.push(await releases.publish('kept', version));
      await imports.run({ github: githubOf('kept') });
    }
    const member = session.members.one(1);
    await session.members.create(member, versions[0]?.fingerprint);
    for (const version of ['1.2.0', '1.3.0']) {
      versions.push(await releases.publish('kept', version));
      await imports.run({ github: githubOf('kept') });
    }
    const [used, gone, before, present] = versions.map(({ fingerprint }) => fingerprint);
    const there = new Set((await imports.images()).map(({ fingerprint }) => fingerprint));
    expect([used, gone, before, present].map((fingerprint) => there.has(fingerprint as string))).toEqual([true, false, true, true]);
    const { versions: listed } = (await imports.list()).aliases.find(({ alias }) => alias === 'kept') ?? { versions: [] };
    expect(listed.map(({ version }) => version)).toEqual(['1.3.0', '1.2.0', '1.0.0']);
  }, 180_000);
});

describe('what is wrong is refused before anything is created', () => {
  it.each(['digest that GitHub says', 'checksum file'])(
    'an asset that is not what the %s says',
    async (what) => {
      const name = what === 'checksum file' ? 'corrupt-b' : 'corrupt-a';
      const image = await releases.make();
      const files = releases.filesOf(image);
      await github.publish(REPOSITORY, { tag: `${name}/v1.0.0`, files, ...(what === 'checksum file' ? { digest: 'none' as const } : {}) });
      const bytes = readFileSync(image.rootfsFile);
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      await github.store.corruptAsset(REPOSITORY, `${name}/v1.0.0`, 'rootfs.amd64.squashfs', bytes);
      const before = await imports.images();
      expect(await imports.fails({ github: githubOf(name) })).toMatchObject({
        code: 'PROTOCOL',
        message: expect.stringContaining('digest'),
      });
      expect(await imports.images()).toHaveLength(before.length);
      await imports.nothingLeft();
    },
    120_000,
  );

  it('metadata of another architecture, and what is no archive at all', async () => {
    const image = await releases.make();
    const renamed = { ...releases.filesOf(image), 'lxd.amd64.tar.xz': Buffer.from('no archive') };
    await github.publish(REPOSITORY, {
      tag: 'no-archive/v1.0.0',
      files: { ...renamed, 'combined.amd64.sha256': imports.combined(renamed) },
    });
    expect(await imports.fails({ github: githubOf('no-archive') })).toMatchObject({ code: 'INVALID_INPUT' });
    const other = await imports.imageFor('aarch64', image);
    await github.publish(REPOSITORY, { tag: 'other-arch/v1.0.0', files: other });
    expect(await imports.fails({ github: githubOf('other-arch') })).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('made for aarch64'),
    });
    await imports.nothingLeft();
  }, 120_000);

  it('what does not fit, with the numbers', async () => {
    await releases.publish('large', '1.0.0', 3_000_000);
    await session.lab.process('worker').restart({ env: { WEBSPACES__IMAGES__STAGING_BYTES: '2000000' } });
    const failure = await imports.fails({ github: githubOf('large') });
    await session.lab.process('worker').restart();
    expect(failure).toMatchObject({ code: 'OPERATION_FAILED', message: expect.stringMatching(/staging.* has 2 MB left.* needs [45] MB/) });
  }, 180_000);
});

describe('imports from elsewhere', () => {
  it('from another image server by HTTPS with its certificate', async () => {
    const image = await releases.make();
    await server.offer('busybox/tiny', '20260102_0304', image);
    const from = { server: server.url, alias: 'busybox/tiny' };
    const { result } = await imports.run({ simplestreams: { ...from, certificate: server.certificate }, alias: 'streams/tiny' });
    expect(result).toMatchObject({ version: '20260102_0304', fingerprint: image.fingerprint, image: 'created' });
    expect((await imports.imageBehind('streams/tiny'))?.properties['webspaces.source']).toBe(`simplestreams:${server.url}/busybox/tiny`);
    const unknown = await imports.begin({ simplestreams: from, alias: 'streams/unpinned' });
    await waitFor('the refusal of its certificate', async () => (await imports.lastError(unknown))?.includes('certificate'), {
      timeoutMs: 60_000,
    });
    await imports.cancel(unknown);
    expect(
      await imports.fails({ simplestreams: { ...from, alias: 'no/such', certificate: server.certificate }, alias: 'x' }),
    ).toMatchObject({
      code: 'NOT_FOUND',
    });
  }, 180_000);

  it('from uploaded files', async () => {
    const image = await releases.make();
    const [metadata, rootfs] = [await imports.upload(image.metadata), await imports.upload(readFileSync(image.rootfsFile))];
    const { result } = await imports.run({ upload: { metadata: metadata.id, rootfs: rootfs.id, version: 'mine-1' }, alias: 'uploaded' });
    expect(result).toMatchObject({ source: 'upload', version: 'mine-1', fingerprint: image.fingerprint });
    expect(await imports.imageBehind('uploaded')).toMatchObject({ fingerprint: image.fingerprint });
    await imports.nothingLeft();
    report('staging folder after an import', 'empty');
  }, 120_000);
});

describe('GitHub has limits', () => {
  it('that are waited out by its own times', async () => {
    const image = await releases.publish('limited', '1.0.0');
    github.faults.secondaryLimit({ match: /releases/, times: 1, retryAfterSeconds: 3 });
    const begun = Date.now();
    const { result } = await imports.run({ github: githubOf('limited') });
    expect(result.fingerprint).toBe(image.fingerprint);
    expect(Date.now() - begun).toBeGreaterThan(2_900);
    github.budget.exhaust(4_000);
    const again: { result: ImportImageResult } = await imports.run({ github: githubOf('limited'), alias: 'limited-too' });
    github.budget.refill();
    expect(again.result.image).toBe('adopted');
  }, 120_000);
});
