import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Image } from '#lab/image.js';
import { ARCHITECTURE, releaseFiles } from '#lab/image-release.js';
import { waitFor } from '#lab/wait.js';
import { openSession, type Session } from '../support/lab-session.js';
import { type ImageServer, image, OWNER, REMOTE, startImageServer } from '../support/octolxd.js';

const ROOT = `rootfs.${ARCHITECTURE}.squashfs`;
const METADATA = `lxd.${ARCHITECTURE}.tar.xz`;

let session: Session;
let server: ImageServer;
let one: Image;
let two: Image;
let repository: string;
let count = 0;
beforeAll(async () => {
  session = await openSession();
  [server, one, two] = await Promise.all([startImageServer(session.lab), image('1'), image('2')]);
}, 180_000);
afterAll(async () => {
  await server?.close();
  await session?.close();
}, 120_000);

beforeEach(async () => {
  count += 1;
  repository = `${OWNER}/images-${count}`;
  await server.begin();
}, 60_000);

const index = () => server.ask(`/${repository}/streams/v1/index.json`);
const images = () => server.ask(`/${repository}/streams/v1/images.json`);
const productsOf = async (): Promise<string[]> =>
  (await index()).json<{ index: { images: { products: string[] } } }>().index.images.products;
const fingerprintOf = ({ metadataFile, rootfsFile }: Image) =>
  createHash('sha256').update(readFileSync(metadataFile)).update(readFileSync(rootfsFile)).digest('hex');

/** Adds the repository as a remote; what the work makes in LXD is removed again. */
async function withRemote(work: () => Promise<void>): Promise<void> {
  await server.lxc('remote', 'add', REMOTE, `${server.url}/${repository}`, '--protocol', 'simplestreams');
  const known = new Set(await fingerprints());
  try {
    await work();
  } finally {
    await server.lxc('remote', 'remove', REMOTE);
    for (const fingerprint of await fingerprints()) if (!known.has(fingerprint)) await server.lxc('image', 'delete', fingerprint);
  }
}

async function fingerprints(): Promise<string[]> {
  const listed = JSON.parse(await server.lxc('image', 'list', 'local:', '--format', 'json')) as { fingerprint: string }[];
  return listed.map(({ fingerprint }) => fingerprint);
}

describe('a real LXD', () => {
  it('rows 52, 53: takes the repository as a remote and lists its images with their fields', async () => {
    await server.publish(repository, 'hello/v1.0.0', one);
    await server.publish(repository, 'hello/v1.1.0', two);
    await server.publish(repository, 'team/site/v2.0.0-1', one);
    expect(await productsOf()).toEqual([`hello:${ARCHITECTURE}`, `team/site:${ARCHITECTURE}`]);
    await withRemote(async () => {
      const listed = JSON.parse(await server.lxc('image', 'list', `${REMOTE}:`, '--format', 'json')) as {
        fingerprint: string;
        aliases: { name: string }[] | null;
        properties: Record<string, string>;
      }[];
      const newest = listed.find(({ fingerprint }) => fingerprint === two.fingerprint);
      expect(newest?.aliases?.map(({ name }) => name)).toContain('hello');
      expect(newest?.properties).toMatchObject({ os: 'hello', release: 'images-2', variant: 'default', serial: '20231114_v1.1.0' });
      expect(listed.flatMap(({ aliases }) => aliases?.map(({ name }) => name) ?? [])).toContain('team/site');
    });
  }, 60_000);

  it.each(['proxy', 'redirect'])(
    'row 54: copies and launches an image by %s, whose fingerprint is the sha256 of metadata and root',
    async (serve) => {
      await server.begin({ files: { serve } });
      await server.publish(repository, 'hello/v1.0.0', one);
      server.forgetDocuments();
      await withRemote(async () => {
        await server.lxc('image', 'copy', `${REMOTE}:hello`, 'local:', '--alias', 'copied', '--auto-update');
        const info = await server.lxc('image', 'info', 'copied');
        expect(info).toContain(`Fingerprint: ${fingerprintOf(one)}`);
        expect(info).toContain('Auto update: enabled');
        await server.lxc('launch', `${REMOTE}:hello`, `from-${serve}`);
        try {
          expect(await server.lxc('exec', `from-${serve}`, '--', 'cat', '/etc/os-release')).toContain('images-1');
        } finally {
          await server.lxc('delete', '--force', `from-${serve}`);
        }
      });
    },
    120_000,
  );

  it.each([
    ['proxy', 'is refused by us before LXD sees it', /502/],
    ['redirect', 'is refused by LXD when it comes from GitHub', /Hash mismatch|hash mismatch/],
  ])(
    'row 54: a corrupted asset by %s %s',
    async (serve, _what, told) => {
      await server.begin({ files: { serve } });
      await server.publish(repository, 'hello/v1.0.0', one);
      await index();
      const wrong = readFileSync(one.rootfsFile);
      wrong.writeUInt8(wrong.readUInt8(1000) ^ 1, 1000);
      await server.github.store.corruptAsset(repository, 'hello/v1.0.0', ROOT, wrong);
      server.forgetDocuments();
      await withRemote(async () => {
        await expect(server.lxc('image', 'copy', `${REMOTE}:hello`, 'local:')).rejects.toThrow(told);
        expect(await fingerprints()).not.toContain(one.fingerprint);
      });
      const { status, bytes } = await server.download(`/${repository}/images/hello/${ARCHITECTURE}/v1.0.0/rootfs.squashfs`);
      if (serve === 'proxy') expect([status, bytes < wrong.length]).toEqual([502, true]);
    },
    120_000,
  );

  it('row 55: a refresh follows a new tag: the alias moves, the old image goes', async () => {
    await server.publish(repository, 'hello/v1.0.0', one);
    server.forgetDocuments();
    await withRemote(async () => {
      await server.lxc('image', 'copy', `${REMOTE}:hello`, 'local:', '--alias', 'followed', '--auto-update');
      await server.publish(repository, 'hello/v1.1.0', two);
      await waitFor('the new version to be offered', async () => (await images()).body.includes('v1.1.0'), { timeoutMs: 15_000 });
      server.forgetDocuments();
      await server.lxc('image', 'refresh', 'followed');
      expect(await server.lxc('image', 'info', 'followed')).toContain(`Fingerprint: ${two.fingerprint}`);
      expect(await fingerprints()).not.toContain(one.fingerprint);
    });
  }, 120_000);
});

describe('row 56: what cannot be offered', () => {
  it('is left out with its reason, and everything else stays', async () => {
    const files = releaseFiles(one);
    const { [METADATA]: metadata, [ROOT]: root } = files;
    await server.publish(repository, 'hello/v1.0.0', one);
    await server.publish(repository, 'hello/v1', one);
    await server.publish(repository, 'no-version', one);
    await server.publish(repository, 'draft/v1.0.0', one, { draft: true });
    await server.publish(repository, 'early/v2.0.0', one, { prerelease: true });
    const broken = { [`lxd.riscv64.tar.xz`]: metadata, [`rootfs.riscv64.squashfs`]: root, [`combined.riscv64.sha256`]: one.fingerprint };
    await server.publish(repository, 'two/v1.0.0', one, { files: { ...files, ...broken } });
    await server.github.publish(repository, { tag: 'short/v1.0.0', files: { ...files, [`combined.${ARCHITECTURE}.sha256`]: 'abcdef' } });
    await server.github.publish(repository, { tag: 'half/v1.0.0', files: { [METADATA]: metadata ?? '' } });
    const offered = ['early', 'hello', 'two'].map((name) => `${name}:${ARCHITECTURE}`);
    expect(await productsOf()).toEqual(offered);
    expect(Object.keys((await images()).json<{ products: object }>().products)).toEqual(offered);
    const page = (await server.ask(`/${repository}`)).body;
    for (const tag of ['hello/v1', 'no-version', 'two/v1.0.0', 'short/v1.0.0', 'half/v1.0.0'])
      expect(page).toContain(`<code>${tag}</code>`);
    expect(page).not.toContain('draft');
    expect(page).toContain(`lxc remote add ${OWNER} ${server.url}/${repository} --protocol simplestreams`);
    expect(await server.metric(`webspaces_octolxd_left_out{repository="${repository}"}`)).toBe(5);
  }, 60_000);
});

describe('row 57: errors of GitHub', () => {
  it.each([
    ['a repository that is not there', 404, () => undefined],
    ['the hourly limit', 503, () => server.github.budget.exhaust(600_000)],
    ['a secondary limit', 503, () => server.github.faults.secondaryLimit({ retryAfterSeconds: 30 })],
    ['a 502', 503, () => server.github.faults.error(502, 'Bad Gateway')],
    ['a credential that is refused', 502, () => server.github.faults.error(401, 'Bad credentials')],
  ])('%s is %d with the reason, when nothing is known', async (_what, status, happens) => {
    happens();
    const answer = await index();
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json; charset=utf-8']);
    if (status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.json<{ message: string }>().message).toBeTruthy();
  });

  it('LXD is answered from the last good documents while GitHub limits us, also by a process that has just started', async () => {
    await server.begin({ cacheFolder: `${session.lab.profile.paths.state}/octolxd-limited` });
    await server.publish(repository, 'hello/v1.0.0', one);
    const good = await images();
    server.github.budget.exhaust(600_000);
    await server.process.restart();
    server.forgetDocuments();
    await withRemote(async () => {
      expect(await server.lxc('image', 'list', `${REMOTE}:`, '--format', 'csv')).toContain(one.fingerprint.slice(0, 12));
    });
    // Until the interval is over they count as fresh.
    const withWarning = async () => {
      const answer = await images();
      return answer.headers['warning'] === undefined ? undefined : answer;
    };
    const stale = await waitFor('a stale answer', withWarning, { timeoutMs: 20_000, intervalMs: 100 });
    expect([stale.status, stale.headers['warning'], stale.body]).toEqual([200, '110 - "Response is Stale"', good.body]);
    expect(await server.metric('webspaces_octolxd_stale_answers_total')).toBeGreaterThan(0);
  }, 60_000);
});
