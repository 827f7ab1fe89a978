import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Image } from '#lab/image.js';
import { ARCHITECTURE, releaseFiles } from '#lab/image-release.js';
import { waitFor } from '#lab/wait.js';
import { FULL, openSession, report, type Session } from '../support/lab-session.js';
import { type ImageServer, image, OWNER, startImageServer } from '../support/octolxd.js';

/** What the original asks of GitHub for one `images.json` with ten releases, every time (docs/compatibility.md). */
const ORIGINAL_CALLS = 31;
const ROOT = `rootfs.${ARCHITECTURE}.squashfs`;
const METADATA = `lxd.${ARCHITECTURE}.tar.xz`;

let session: Session;
let server: ImageServer;
let one: Image;
let repository: string;
let count = 0;
beforeAll(async () => {
  session = await openSession();
  [server, one] = await Promise.all([startImageServer(session.lab), image('1')]);
}, 180_000);
afterAll(async () => {
  await server?.close();
  await session?.close();
}, 120_000);

beforeEach(async () => {
  count += 1;
  repository = `${OWNER}/load-${count}`;
  await server.begin();
}, 60_000);

const index = () => server.ask(`/${repository}/streams/v1/index.json`);
const images = () => server.ask(`/${repository}/streams/v1/images.json`);
const productsOf = async (): Promise<string[]> =>
  (await index()).json<{ index: { images: { products: string[] } } }>().index.images.products;

describe('calls to GitHub', () => {
  it('few for a first view, one conditional for an interval, none for a fresh answer', async () => {
    await server.begin({ refreshSeconds: 3 });
    const calls = () => ({ api: server.github.counts.api, files: server.github.counts.web });
    for (let n = 0; n < 10; n++) await server.publish(repository, `hello/v1.0.${n}`, one);
    await images();
    const ten = calls();
    const many = `${repository}-many`;
    for (let n = 0; n < 100; n++) await server.publish(many, `hello/v1.0.${n}`, one);
    server.github.resetCounts();
    await server.ask(`/${many}/streams/v1/images.json`);
    const hundred = calls();
    server.github.resetCounts();
    await server.ask(`/${many}/streams/v1/index.json`);
    const fresh = calls();
    await waitFor('a look after the interval', async () => (await server.ask(`/${many}/streams/v1/index.json`)) && calls().api > 0, {
      timeoutMs: 20_000,
    });
    const interval = calls();
    const text = ({ api, files }: { api: number; files: number }) => `${api} of the API, ${files} reads of metadata`;
    report('GitHub calls, first view of 10 releases', `${text(ten)} (the original: ${ORIGINAL_CALLS}, every time)`);
    report('GitHub calls, first view of 100 releases', text(hundred));
    report('GitHub calls, fresh / after the interval', `${text(fresh)} / ${text(interval)}`);
    expect(ten).toEqual({ api: 1, files: 10 });
    expect(hundred.api).toBeLessThanOrEqual(2);
    expect(hundred.files).toBe(100);
    expect(fresh).toEqual({ api: 0, files: 0 });
    expect(interval).toEqual({ api: 1, files: 0 });
    expect(server.github.counts.notModified).toBe(1);
  }, 120_000);
});

describe('many releases', () => {
  it('500 releases are offered', async () => {
    for (let n = 0; n < 500; n++) await server.publish(repository, `hello/v1.${n}.0`, one);
    server.github.resetCounts();
    const begun = Date.now();
    const versions = async () => {
      const { products } = (await images()).json<{ products: Record<string, { versions: object }> }>();
      return Object.keys(products[`hello:${ARCHITECTURE}`]?.versions ?? {}).length;
    };
    const [offered, first] = [await versions(), Date.now() - begun];
    await waitFor('500 versions', async () => (await versions()) === 500, { timeoutMs: 60_000 });
    const { list } = server.github.counts;
    report('first view of 500 releases', `${offered} versions after ${first} ms, all after ${Date.now() - begun} ms; ${list} listings`);
    expect(list).toBeLessThanOrEqual(5 + Math.ceil((Date.now() - begun) / 1000));
    expect(server.github.counts.web).toBe(500);
  }, 120_000);
});

describe('a large asset through the server', () => {
  const sizeBytes = FULL ? 2 ** 30 : 100 * 2 ** 20;

  it('is streamed to several clients by one download, in little memory', async () => {
    const files = { ...releaseFiles(one), [ROOT]: { sizeBytes, seed: 'large' } };
    await server.github.publish(repository, { tag: 'large/v1.0.0', files });
    await index();
    const digest = (await server.github.store.releases(repository))?.[0]?.assets.find(({ name }) => name === ROOT)?.digest;
    server.github.resetCounts();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, server.process.residentBytes());
    }, 50);
    const begun = Date.now();
    const path = `/${repository}/images/large/${ARCHITECTURE}/v1.0.0/rootfs.squashfs`;
    const got = await Promise.all([1, 2, 3].map(() => server.download(path))).finally(() => clearInterval(watch));
    const took = (Date.now() - begun) / 1000;
    report(
      `an asset of ${sizeBytes / 2 ** 20} MiB to three clients`,
      `${took.toFixed(1)} s, at most ${Math.round(most / 2 ** 20)} MiB of memory, ${Math.round(server.github.counts.sentBytes / 2 ** 20)} MiB from GitHub`,
    );
    for (const each of got)
      expect({ ...each, sha256: `sha256:${each.sha256}` }).toEqual({ status: 200, bytes: sizeBytes, sha256: digest, whole: true });
    expect(server.github.counts.sentBytes).toBeLessThan(sizeBytes * 1.2);
    expect(most).toBeLessThan(200 * 2 ** 20);
  }, 600_000);
});

describe('strangers', () => {
  it('1 000 unknown repositories cost few calls, names that lead elsewhere none', async () => {
    await server.publish(repository, 'hello/v1.0.0', one);
    await index();
    server.github.resetCounts();
    const statuses = new Set<number>();
    for (let n = 0; n < 1000; n += 25) {
      const asked = Array.from({ length: 25 }, (_, at) => server.ask(`/${OWNER}/none-${n + at}/streams/v1/index.json`));
      for (const { status } of await Promise.all(asked)) statuses.add(status);
    }
    report('GitHub calls for 1 000 unknown repositories', String(server.github.counts.api));
    expect([...statuses].sort()).toEqual([404, 429]);
    expect(server.github.counts.api).toBeLessThan(100);
    server.github.resetCounts();
    for (const name of ['10.76.0.1/x', 'a.b/c', 'society/..', 'society/%2e%2e%2f', 'society%2fx/y', `${OWNER}@host/x`, `other/repo`]) {
      expect([400, 404]).toContain((await server.ask(`/${name}/streams/v1/index.json`)).status);
    }
    expect(server.github.requests).toEqual([]);
    expect((await index()).status).toBe(200);
  }, 120_000);

  it('a redirect to a host that is not allowed is not followed, by metadata and by files', async () => {
    await server.publish(repository, 'hello/v1.0.0', one);
    server.github.faults.redirect('https://127.0.0.1:1/api', { match: /^GET web/ });
    expect(await productsOf()).toEqual([]);
    const page = (await server.ask(`/${repository}`)).body;
    expect(page).toMatch(/hosts of assets|not allowed|Not followed/);
    server.github.faults.clear();
    await server.begin();
    expect(await productsOf()).toEqual([`hello:${ARCHITECTURE}`]);
    server.github.faults.redirect('http://10.0.0.1/secret', { match: /^GET web/ });
    expect((await server.download(`/${repository}/images/hello/${ARCHITECTURE}/v1.0.0/rootfs.squashfs`)).status).toBe(502);
  }, 60_000);

  it('random bytes in place of metadata leave the rest as it is', async () => {
    await server.publish(repository, 'hello/v1.0.0', one);
    await server.github.publish(repository, { tag: 'noise/v1.0.0', files: { ...releaseFiles(one), [METADATA]: randomBytes(5000) } });
    expect(await productsOf()).toEqual([`hello:${ARCHITECTURE}`]);
  }, 60_000);
});
