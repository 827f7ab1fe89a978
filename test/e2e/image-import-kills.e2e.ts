import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { Supervisor } from '../crash-matrix/supervisor.js';
import { TrapFolder, WHENS, type When } from '../crash-matrix/traps.js';
import { ImportLab } from '../support/image-imports.js';
import { githubSettings, ImageReleases, REPOSITORY, type TestImage, writeImageSettings } from '../support/image-releases.js';
import { FULL, openSession, report, type Session } from '../support/lab-session.js';

const ACTIVITIES = [
  'takeImageLock',
  'resolveImport',
  'checkSpace',
  'fetchImage',
  'verifyImage',
  'createImage',
  'moveAlias',
  'removeOldVersions',
  'finishImport',
] as const;
/** In CI each activity once, in turns before, inside and after it; all three with full counts. */
const POINTS: readonly (readonly [When, string])[] = ACTIVITIES.flatMap((activity, at) =>
  FULL ? WHENS.map((when) => [when, activity] as const) : [[WHENS[at % WHENS.length] as When, activity] as const],
);
const LARGE_BYTES = FULL ? 200_000_000 : 40_000_000;
const DEATHS = FULL ? 6 : 3;
/** As issue D wants it. */
const MOST = 1.2;

let session: Session;
let imports: ImportLab;
let github: GithubDouble;
let releases: ImageReleases;
let supervisor: Supervisor;
let folder: string;
let traps: TrapFolder;

beforeAll(async () => {
  session = await openSession();
  github = await startGithubDouble();
  releases = new ImageReleases(github);
  imports = await ImportLab.open(session);
  writeImageSettings(session.lab, 'worker', githubSettings(github));
  folder = mkdtempSync(join(tmpdir(), 'webspaces-traps-'));
  traps = new TrapFolder(folder);
  supervisor = new Supervisor(session.lab, folder);
  await supervisor.start();
}, 240_000);
afterAll(async () => {
  await supervisor?.stop();
  await session?.lab.up();
  await imports?.close();
  releases?.close();
  await github?.close();
  await session?.close();
  rmSync(folder, { recursive: true, force: true });
}, 240_000);

/** The image once, the alias on it, and nothing left over. */
async function whole(alias: string, image: TestImage): Promise<void> {
  const all = (await imports.images()).filter(({ properties }) => properties['webspaces.alias'] === alias);
  expect(all.map(({ fingerprint }) => fingerprint)).toEqual([image.fingerprint]);
  expect((await imports.imageBehind(alias))?.fingerprint).toBe(image.fingerprint);
  await imports.nothingLeft();
}

describe('a worker that is killed', () => {
  it.each(POINTS)(
    '%s %s: the import ends with the image once',
    async (when, activity) => {
      const name = `killed-${when}-${activity}`.toLowerCase();
      const image = await releases.publish(name, '1.0.0', 200_000);
      const key = `${name}-${Date.now()}`;
      const workflowId = imports.idOf(name, key);
      traps.arm({ traps: [{ workflowId, activity, when, leadMs: when === 'inside' ? 5 : 0 }], patienceMs: 20_000 });
      await imports.begin({ github: `github:${REPOSITORY}/${name}` }, key);
      await waitFor('the death of the worker', () => traps.hits(), { timeoutMs: 90_000, intervalMs: 20 });
      expect(await imports.result(workflowId, 180_000)).toMatchObject({ fingerprint: image.fingerprint });
      traps.disarm();
      await whole(name, image);
    },
    360_000,
  );

  it(`in the middle of a download of ${LARGE_BYTES / 1e6} MB, ${DEATHS} times: nothing is downloaded twice but what was on its way`, async () => {
    const image = await releases.publish('large', '1.0.0', LARGE_BYTES);
    github.resetCounts();
    github.faults.add({ kind: 'slow', bytesPerSecond: LARGE_BYTES / 20 }, { match: /storage/ });
    const id = await imports.begin({ github: `github:${REPOSITORY}/large` });
    const deaths = [];
    for (let death = 1; death <= DEATHS; death++) {
      const from = (LARGE_BYTES * death) / (DEATHS + 2);
      await waitFor(`byte ${from}`, () => github.counts.sentBytes > from, { timeoutMs: 180_000, intervalMs: 20 });
      expect(await session.lab.process('worker').kill('SIGKILL')).toBe(true);
      deaths.push(github.counts.sentBytes);
    }
    await waitFor('a resumed download', async () => /MB \(\d+ %/.test(await imports.waitsFor(id)), { timeoutMs: 60_000 });
    await imports.result(id, 300_000);
    github.faults.clear();
    const times = github.counts.sentBytes / image.sizeBytes;
    report(
      `worker killed ${DEATHS} times at ${deaths.map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`).join(', ')}`,
      `${times.toFixed(3)} × the size was sent`,
    );
    expect(times).toBeGreaterThanOrEqual(1);
    expect(times).toBeLessThanOrEqual(MOST);
    await whole('large', image);
  }, 600_000);

  it('connections that are cut: the same', async () => {
    const image = await releases.publish('cut', '1.0.0', 8_000_000);
    github.resetCounts();
    github.faults.add({ kind: 'cut', afterBytes: 2_000_000 }, { match: /storage/, times: 3 });
    await imports.run({ github: `github:${REPOSITORY}/cut` });
    expect(github.counts.sentBytes / image.sizeBytes).toBeLessThanOrEqual(MOST);
    await whole('cut', image);
  }, 240_000);
});

describe('an import that is cancelled', () => {
  it('in the middle of its download leaves nothing, also when the worker is killed meanwhile', async () => {
    await releases.publish('cancelled', '1.0.0', 8_000_000);
    github.faults.add({ kind: 'slow', bytesPerSecond: 500_000 }, { match: /storage/ });
    const before = await imports.images();
    for (const killed of [false, true]) {
      const id = await imports.begin({ github: `github:${REPOSITORY}/cancelled` });
      await waitFor('bytes', async () => /[1-9]\d* %/.test(await imports.waitsFor(id)), { timeoutMs: 90_000 });
      await imports.cancel(id);
      if (killed) await session.lab.process('worker').kill('SIGKILL');
      expect((await imports.ended(id, 180_000)).status).toBe('cancelled');
      await imports.nothingLeft();
      expect(await imports.imageBehind('cancelled')).toBeUndefined();
    }
    github.faults.clear();
    expect(await imports.images()).toHaveLength(before.length);
  }, 480_000);
});

describe('a second request for the same alias', () => {
  it('joins one of the same source, and queues behind one of another', async () => {
    const first = await releases.publish('twice', '1.0.0', 4_000_000);
    const other = await releases.publish('twice-other', '1.0.0');
    github.faults.add({ kind: 'slow', bytesPerSecond: 400_000 }, { match: /storage/ });
    const ids: string[] = [];
    ids.push(await imports.begin({ github: `github:${REPOSITORY}/twice` }));
    await waitFor('the download', async () => /twice|rootfs/.test(await imports.waitsFor(String(ids[0]))), { timeoutMs: 90_000 });
    ids.push(await imports.begin({ github: `github:${REPOSITORY}/twice` }));
    ids.push(await imports.begin({ github: `github:${REPOSITORY}/twice-other`, alias: 'twice' }));
    await waitFor('the reason', async () => (await imports.waitsFor(String(ids[2]))).includes('holds the lock'), { timeoutMs: 90_000 });
    github.faults.clear();
    const [a, b, c] = await Promise.all(ids.map((id) => imports.result(id, 240_000)));
    expect(b).toMatchObject({ joined: ids[0], fingerprint: a?.fingerprint });
    expect([a?.fingerprint, c?.fingerprint]).toEqual([first.fingerprint, other.fingerprint]);
    expect(c?.previous).toBe(first.fingerprint);
    expect((await imports.imageBehind('twice'))?.fingerprint).toBe(other.fingerprint);
    await imports.nothingLeft();
  }, 360_000);
});
