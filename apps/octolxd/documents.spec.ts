import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checksumBlock, type Files, imageFiles, sha256, tarXz } from './testing/image-files.js';
import { type Rig, startRig } from './testing/rig.js';

let rig: Rig;
let files: Files;
beforeEach(async () => {
  rig = await startRig();
  files = await imageFiles();
});
afterEach(() => rig.close());

const REPOSITORY = 'owner/repo';
const INDEX = '/owner/repo/streams/v1/index.json';
const IMAGES = '/owner/repo/streams/v1/images.json';
const publish = (tag: string, more: object = {}) => rig.github.publish(REPOSITORY, { tag, files, body: checksumBlock(files), ...more });

describe('the documents of a repository', () => {
  test('name what its releases hold, and agree', async () => {
    await publish('hello/v1.0.0', { publishedAt: new Date('2026-05-01T00:00:00Z') });
    const [index, images] = [await rig.get(INDEX), await rig.get(IMAGES)];
    expect(index.status).toBe(200);
    expect(index.headers['content-type']).toBe('application/json');
    expect(index.json().index.images.products).toEqual(['hello:amd64']);
    const version = images.json().products['hello:amd64'].versions['20260528_v1.0.0'];
    const metadata = files['lxd.amd64.tar.xz'] as Buffer;
    const root = files['rootfs.amd64.squashfs'] as Buffer;
    expect(version.items['lxd.tar.xz']).toMatchObject({
      sha256: sha256(metadata),
      size: metadata.length,
      combined_squashfs_sha256: sha256(metadata, root),
      path: 'images/hello/amd64/v1.0.0/lxd.tar.xz',
    });
    expect(version.items['rootfs.squashfs']).toMatchObject({ sha256: sha256(root), size: root.length });
  });

  test('are conditional, ranged, packed, and the same by HEAD', async () => {
    await publish('hello/v1.0.0');
    const plain = await rig.get(IMAGES);
    const tag = plain.headers.etag as string;
    expect(tag).toMatch(/^"[\w-]+"$/);
    expect((await rig.get(IMAGES, { headers: { 'if-none-match': tag } })).status).toBe(304);
    const since = plain.headers['last-modified'] as string;
    expect((await rig.get(IMAGES, { headers: { 'if-modified-since': since } })).status).toBe(304);
    const packed = await rig.get(IMAGES, { headers: { 'accept-encoding': 'gzip' } });
    expect(gunzipSync(packed.bytes)).toEqual(plain.bytes);
    expect(packed.headers.etag).not.toBe(tag);
    expect(packed.headers.vary).toBe('Accept-Encoding');
    expect((await rig.get(IMAGES, { headers: { 'if-none-match': packed.headers.etag as string } })).status).toBe(304);
    const part = await rig.get(IMAGES, { headers: { range: 'bytes=2-11', 'accept-encoding': 'gzip' } });
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 2-11/${plain.bytes.length}`]);
    expect(part.bytes).toEqual(plain.bytes.subarray(2, 12));
    expect((await rig.get(IMAGES, { headers: { range: `bytes=${plain.bytes.length}-` } })).status).toBe(416);
    const head = await rig.get(IMAGES, { method: 'HEAD' });
    expect([head.status, head.bytes.length, head.headers['content-length']]).toEqual([200, 0, String(plain.bytes.length)]);
  });

  test('of a release with one broken architecture hold the other', async () => {
    const arm = await imageFiles({ architecture: 'arm64', metadataArchitecture: 'amd64' });
    await publish('hello/v1.0.0', { files: { ...files, ...arm } });
    expect((await rig.get(INDEX)).json().index.images.products).toEqual(['hello:amd64']);
    expect((await rig.get('/owner/repo')).text()).toContain('for the architecture amd64');
  });

  test('leave out what cannot be offered, with a reason, and nothing else', async () => {
    await publish('hello/v1.0.0');
    await publish('hello/1.2');
    await publish('hello/v1.01.0');
    await publish('half/v1.0.0', { files: { 'lxd.amd64.tar.xz': files['lxd.amd64.tar.xz'] as Buffer } });
    await publish('long/v1.0.0', { body: '', files: { ...files, 'combined.amd64.sha256': `${'a'.repeat(128)}\n` } });
    await publish('draft/v1.0.0', { draft: true });
    await publish('deep/name/v1.0.0');
    const link = await tarXz([{ name: 'metadata.yaml', linkname: '/etc/passwd' }]);
    await publish('link/v1.0.0', { files: { ...files, 'lxd.amd64.tar.xz': link }, body: '' });
    expect((await rig.get(INDEX)).json().index.images.products).toEqual(['deep/name:amd64', 'hello:amd64']);
    const page = (await rig.get('/owner/repo')).text();
    for (const tag of ['hello/1.2', 'hello/v1.01.0', 'half/v1.0.0', 'long/v1.0.0', 'link/v1.0.0'])
      expect(page).toContain(`<code>${tag}</code>`);
    expect(page).not.toContain('draft');
  });

  test('hold pre-releases unless told otherwise', async () => {
    await publish('hello/v1.0.0');
    await publish('next/v2.0.0', { prerelease: true });
    expect((await rig.get(INDEX)).json().index.images.products).toEqual(['hello:amd64', 'next:amd64']);
    await rig.restart({ prereleases: false });
    expect((await rig.get(INDEX)).json().index.images.products).toEqual(['hello:amd64']);
  });
});

describe('calls to GitHub', () => {
  test('a first view is one listing and one read for each new architecture, a fresh answer nothing, an interval one listing', async () => {
    for (let n = 0; n < 10; n++) await publish(`hello/v1.0.${n}`);
    await Promise.all([...Array(20)].map((_, n) => rig.get(n % 2 === 0 ? INDEX : IMAGES)));
    expect(rig.calls()).toEqual({ list: 1, files: 10 });
    await rig.get(INDEX);
    expect(rig.calls()).toEqual({ list: 1, files: 10 });
    rig.later(61);
    await Promise.all([...Array(20)].map(() => rig.get(IMAGES)));
    expect(rig.calls()).toEqual({ list: 2, files: 10 });
    expect(rig.github.counts.notModified).toBe(1);
  });

  test('without the block of checksums there is one small read more; the file of the root is not read', async () => {
    await publish('hello/v1.0.0', { body: '' });
    await rig.get(INDEX);
    expect(rig.calls()).toEqual({ list: 1, files: 2 });
    expect(rig.github.requests.join('\n')).not.toContain('rootfs.amd64.squashfs.sha256');
  });

  test('a restart reads no release again', async () => {
    await publish('hello/v1.0.0', { body: '' });
    const before = await rig.get(IMAGES);
    await rig.restart();
    const after = await rig.get(IMAGES);
    expect(after.bytes).toEqual(before.bytes);
    expect(rig.calls()).toEqual({ list: 2, files: 2 });
    expect(rig.github.counts.notModified).toBe(1);
  });

  test('a new tag is seen after the interval, and only it is read', async () => {
    await publish('hello/v1.0.0');
    const before = await rig.get(IMAGES);
    await publish('hello/v1.1.0');
    expect((await rig.get(IMAGES)).headers.etag).toBe(before.headers.etag);
    rig.later(61);
    const after = await rig.get(IMAGES);
    expect(Object.keys(after.json().products['hello:amd64'].versions)).toHaveLength(2);
    expect(rig.calls().files).toBe(2);
    expect(Date.parse(after.headers['last-modified'] as string)).toBeGreaterThan(Date.parse(before.headers['last-modified'] as string));
  });
});

describe('while GitHub is away', () => {
  const refresh = async () => {
    rig.later(61);
    return await rig.get(IMAGES);
  };

  test.each([
    ['limits us', () => rig.github.budget.exhaust(600_000)],
    ['answers 500', () => rig.github.faults.error(500, 'Server Error')],
    ['drops connections', () => rig.github.faults.drop()],
    ['refuses the credential', () => rig.github.faults.error(401, 'Bad credentials')],
  ])('(%s) the last good documents are given and say how old they are', async (_how, goAway) => {
    await publish('hello/v1.0.0');
    const good = await rig.get(IMAGES);
    expect(good.headers['warning']).toBeUndefined();
    goAway();
    const stale = await refresh();
    expect([stale.status, stale.headers['warning']]).toEqual([200, '110 - "Response is Stale"']);
    expect(Number(stale.headers.age)).toBeGreaterThanOrEqual(61);
    expect(stale.bytes).toEqual(good.bytes);
    const calls = rig.github.requests.length;
    await rig.get(IMAGES);
    expect(rig.github.requests.length).toBe(calls);
    expect((await rig.get('/metrics')).text()).toMatch(/webspaces_octolxd_stale_answers_total 2/);
    expect((await rig.get('/owner/repo')).text()).toContain('may be out of date');
  });

  test('a process that starts answers from what is on disk', async () => {
    await publish('hello/v1.0.0');
    const good = await rig.get(IMAGES);
    rig.github.faults.drop();
    await rig.restart();
    rig.later(61);
    const stale = await rig.get(IMAGES);
    expect([stale.status, stale.headers['warning']]).toEqual([200, '110 - "Response is Stale"']);
    expect(stale.bytes).toEqual(good.bytes);
    rig.github.faults.clear();
    rig.later(120);
    expect((await rig.get(IMAGES)).headers['warning']).toBeUndefined();
  });

  test.each([
    ['limits us', 503, () => rig.github.budget.exhaust(600_000)],
    ['answers 502', 503, () => rig.github.faults.error(502, 'Bad Gateway')],
    ['refuses the credential', 502, () => rig.github.faults.error(401, 'Bad credentials')],
    ['is no GitHub', 502, () => rig.github.faults.add({ kind: 'answer', status: 200, body: '<html>' })],
  ])('(%s) a repository that was never seen is %d', async (_how, status, goAway) => {
    await publish('hello/v1.0.0');
    goAway();
    const answer = await rig.get(INDEX);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json; charset=utf-8']);
    if (status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.json().message).toMatch(/GitHub/);
  });

  test('a repository that is gone is 404 at once', async () => {
    await publish('hello/v1.0.0');
    await rig.get(INDEX);
    rig.github.faults.error(404, 'Not Found');
    expect((await refresh()).status).toBe(404);
    const calls = rig.github.requests.length;
    expect((await rig.get(INDEX)).status).toBe(404);
    expect(rig.github.requests.length).toBe(calls);
  });
});
