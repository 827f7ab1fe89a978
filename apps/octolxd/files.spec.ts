import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { checksumBlock, type Files, imageFiles } from './testing/image-files.js';
import { type Rig, startRig } from './testing/rig.js';

const REPOSITORY = 'owner/repo';
const TAG = 'hello/v1.0.0';
const ROOT = 'rootfs.amd64.squashfs';
const AT = '/owner/repo/images/hello/amd64/v1.0.0';
const INDEX = '/owner/repo/streams/v1/index.json';

let rig: Rig;
let files: Files;
const root = (): Buffer => files[ROOT] as Buffer;
const begin = async (settings: object, rootBytes = 300_000) => {
  rig = await startRig(settings);
  files = await imageFiles({ rootBytes });
  await rig.github.publish(REPOSITORY, { tag: TAG, files, body: checksumBlock(files) });
};
afterEach(() => rig.close());

describe('by redirect', () => {
  beforeEach(() => begin({ files: { serve: 'redirect' } }));

  test.each(['GET', 'HEAD'])('%s leads to the asset, and nobody remembers where', async (method) => {
    const answer = await rig.get(`${AT}/rootfs.squashfs`, { method });
    expect([answer.status, answer.headers['cache-control']]).toEqual([302, 'no-store']);
    expect(answer.headers.location).toBe(`${rig.github.url}/owner/repo/releases/download/hello/v1.0.0/${ROOT}`);
  });

  test("LXD's and Incus' name of the metadata lead to the same", async () => {
    const [lxd, incus] = [await rig.get(`${AT}/lxd.tar.xz`), await rig.get(`${AT}/incus.tar.xz`)];
    expect(incus.headers.location).toBe(lxd.headers.location);
  });

  test.each(['rootfs.tar.xz', 'nothing', '../../../../etc/passwd', '..%2f..%2fetc/passwd'])('there is no %s', async (file) => {
    const answer = await rig.get(`${AT}/${file}`);
    expect(answer.status).toBe(404);
    expect(answer.json()).toMatchObject({ status: 404, message: expect.stringMatching(/not found/i) });
  });

  test('a name with slashes is served', async () => {
    await rig.github.publish(REPOSITORY, { tag: 'team/web/v2.0.0-1', files, body: checksumBlock(files) });
    const answer = await rig.get('/owner/repo/images/team/web/amd64/v2.0.0-1/rootfs.squashfs');
    expect(answer.headers.location).toContain('team/web/v2.0.0-1');
  });
});

describe('through the cache', () => {
  beforeEach(() => begin({ files: { serve: 'proxy' } }));
  const path = `${AT}/rootfs.squashfs`;

  test('one download serves any number of clients, later ones too', async () => {
    await rig.get(INDEX);
    const before = rig.calls().files;
    const answers = await Promise.all([...Array(20)].map(() => rig.get(path)));
    for (const answer of answers) expect(answer.bytes.equals(root())).toBe(true);
    expect((await rig.get(path)).bytes.equals(root())).toBe(true);
    await rig.restart();
    expect((await rig.get(path)).bytes.equals(root())).toBe(true);
    expect(rig.calls().files).toBe(before + 1);
    expect((await rig.get('/metrics')).text()).toContain('webspaces_octolxd_cache_bytes{cache="files"} 300000');
  });

  test('HEAD, conditions and ranges', async () => {
    const head = await rig.get(path, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.headers['accept-ranges']]).toEqual([200, '300000', 'bytes']);
    expect(rig.github.counts.sentBytes).toBeLessThan(100_000);
    const etag = head.headers.etag as string;
    expect((await rig.get(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const part = await rig.get(path, { headers: { range: 'bytes=299990-' } });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 299990-299999/300000']);
    expect(part.bytes).toEqual(root().subarray(299_990));
    const middle = await rig.get(path, { headers: { range: 'bytes=100-199', 'if-range': etag } });
    expect(middle.bytes).toEqual(root().subarray(100, 200));
  });

  test('a corrupted asset is refused before a byte of it is given, and not fetched again and again', async () => {
    await rig.get(INDEX);
    await rig.github.store.corruptAsset(REPOSITORY, TAG, ROOT, randomBytes(300_000));
    const refused = await rig.get(path);
    expect([refused.status, refused.json().code]).toEqual([502, 'PROTOCOL']);
    const calls = rig.calls().files;
    expect((await rig.get(path)).status).toBe(502);
    expect(rig.calls().files).toBe(calls);
    expect(readdirSync(join(rig.folder, 'files'))).toEqual([]);
  });

  test('one that is longer or shorter than it should be is refused, too', async () => {
    await rig.get(INDEX);
    await rig.github.store.corruptAsset(REPOSITORY, TAG, ROOT, root().subarray(0, 1000));
    expect((await rig.get(path)).status).toBe(502);
  });

  test('a download that is cut is read on from there', async () => {
    await rig.get(INDEX);
    rig.github.faults.add({ kind: 'cut', afterBytes: 100_000 }, { match: /^GET storage/, times: 2 });
    rig.github.resetCounts();
    expect((await rig.get(path)).bytes.equals(root())).toBe(true);
    expect(rig.github.counts.sentBytes).toBeLessThan(450_000);
  });

  test('an asset that vanished is 404, and the next index knows it', async () => {
    await rig.get(INDEX);
    rig.later(61);
    await rig.get(INDEX);
    rig.github.store.remove(REPOSITORY, TAG);
    expect((await rig.get(path)).status).toBe(404);
    expect((await rig.get(INDEX)).json().index.images.products).toEqual([]);
  });

  test('one that was fetched before stays for those who have an older index', async () => {
    await rig.get(path);
    rig.github.store.remove(REPOSITORY, TAG);
    rig.later(61);
    expect((await rig.get(INDEX)).json().index.images.products).toEqual([]);
    expect((await rig.get(path)).bytes.equals(root())).toBe(true);
  });

  test('GitHub away: 503 with Retry-After, and the next request tries again', async () => {
    await rig.get(INDEX);
    rig.github.faults.error(503, 'Unavailable', { match: /^GET (web|storage)/ });
    const answer = await rig.get(path);
    expect([answer.status, Number(answer.headers['retry-after'])]).toEqual([503, 3]);
    rig.github.faults.clear();
    expect((await rig.get(path)).status).toBe(200);
  });
});

describe('of more than can be checked at once', () => {
  beforeEach(() => begin({ files: { serve: 'proxy', verifyFirstSeconds: 0.1, cacheBytes: 2_500_000 } }, 1_000_000));
  const path = `${AT}/rootfs.squashfs`;
  const slowly = () => rig.github.faults.add({ kind: 'slow', bytesPerSecond: 1_000_000 }, { match: /^GET storage/ });

  test('the bytes are streamed while they come', async () => {
    await rig.get(INDEX);
    slowly();
    const answer = await rig.get(path);
    expect([answer.status, answer.whole]).toEqual([200, true]);
    expect(answer.bytes.equals(root())).toBe(true);
  });

  test('nobody gets the whole of a corrupted one', async () => {
    await rig.get(INDEX);
    const wrong = Buffer.from(root());
    wrong.writeUInt8(wrong.readUInt8(5) ^ 1, 5);
    await rig.github.store.corruptAsset(REPOSITORY, TAG, ROOT, wrong);
    slowly();
    const answers = await Promise.all([rig.get(path), rig.get(path, { headers: { range: 'bytes=0-10' } })]);
    expect([answers[0].status, answers[0].whole]).toEqual([200, false]);
    expect(answers[0].bytes.length).toBeLessThan(1_000_000);
    expect((await rig.get(path)).status).toBe(502);
  });

  test('the least recently used goes when there are too many', async () => {
    for (const n of [1, 2, 3]) {
      const more = await imageFiles({ rootBytes: 1_000_000 });
      await rig.github.publish(REPOSITORY, { tag: `hello/v2.0.${n}`, files: more, body: checksumBlock(more) });
    }
    for (const n of [1, 2, 3]) expect((await rig.get(`/owner/repo/images/hello/amd64/v2.0.${n}/rootfs.squashfs`)).status).toBe(200);
    await waitFor('the cache to be within its limit', () => readdirSync(join(rig.folder, 'files')).length <= 2, { timeoutMs: 5_000 });
  });

  test('one that is larger than the cache is refused and says why', async () => {
    await rig.restart({ files: { serve: 'proxy', cacheBytes: 500_000 } });
    const answer = await rig.get(path);
    expect([answer.status, answer.json().message]).toEqual([503, expect.stringContaining('files.cacheBytes')]);
  });
});

describe('of a private repository', () => {
  test('pass through the server with its credential, which goes nowhere else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'token-'));
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'good-token\n', { mode: 0o600 });
    try {
      await begin({ github: { downloads: 'api', auth: { kind: 'token', tokenFile } } });
      rig.github.access.tokens.add('good-token');
      rig.github.access.makePrivate(REPOSITORY);
      const answer = await rig.get(`${AT}/rootfs.squashfs`);
      expect([answer.status, answer.bytes.equals(root())]).toEqual([200, true]);
      expect(rig.github.counts.leaked).toBe(0);
      expect(rig.github.counts.web).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('are not there without one', async () => {
    await begin({});
    rig.github.access.makePrivate(REPOSITORY);
    expect((await rig.get(INDEX)).status).toBe(404);
  });
});
