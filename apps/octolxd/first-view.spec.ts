import { afterEach, expect, test } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { checksumBlock, imageFiles } from './testing/image-files.js';
import { type Rig, startRig } from './testing/rig.js';

let rig: Rig;
afterEach(() => rig.close());

const IMAGES = '/owner/repo/streams/v1/images.json';
const versions = (answer: Awaited<ReturnType<Rig['get']>>): number =>
  Object.keys(answer.json().products['hello:amd64']?.versions ?? {}).length;

async function withReleases(count: number): Promise<void> {
  const files = await imageFiles();
  for (let n = 0; n < count; n++) await rig.github.publish('owner/repo', { tag: `hello/v1.${n}.0`, files, body: checksumBlock(files) });
}

test('a first view that takes too long gives what was read, then the rest, and reads nothing twice', async () => {
  rig = await startRig({ firstViewSeconds: 2.5, limits: { readsAtOnce: 1, refreshWaitSeconds: 0.5 } });
  await withReleases(8);
  rig.github.faults.add({ kind: 'delay', ms: 700 }, { match: /^GET web/ });
  const first = await rig.get(IMAGES);
  expect(first.status).toBe(200);
  expect(versions(first)).toBeGreaterThan(0);
  expect(versions(first)).toBeLessThan(8);
  expect(first.headers['cache-control']).toBe('public, max-age=0');
  expect((await rig.get('/owner/repo')).text()).toContain('Not all releases have been read yet');
  await waitFor('all versions', async () => versions(await rig.get(IMAGES)) === 8, { timeoutMs: 15_000 });
  expect(rig.calls()).toEqual({ list: 1, files: 8 });
}, 30_000);

test('one of which nothing could be read in time is 503, and complete a little later', async () => {
  rig = await startRig({ firstViewSeconds: 0.2 });
  await withReleases(2);
  rig.github.faults.add({ kind: 'delay', ms: 1_000 }, { match: /^GET api/ });
  const first = await rig.get(IMAGES);
  expect([first.status, Number(first.headers['retry-after'])]).toEqual([503, 5]);
  await waitFor('both versions', async () => versions(await rig.get(IMAGES)) === 2, { timeoutMs: 15_000 });
  expect(rig.calls().list).toBe(1);
}, 30_000);

test('a release whose metadata cannot be had now is read with the next refresh; the others are offered meanwhile', async () => {
  rig = await startRig();
  await withReleases(2);
  rig.github.faults.error(503, 'Unavailable', { match: /^GET web .*v1\.0\.0/ });
  expect(versions(await rig.get(IMAGES))).toBe(1);
  expect((await rig.get('/owner/repo')).text()).toContain('It could not be read yet');
  rig.github.faults.clear();
  rig.later(61);
  expect(versions(await rig.get(IMAGES))).toBe(2);
});

test('changes of old releases are found by the look at every page', async () => {
  rig = await startRig({ deepRefreshSeconds: 600 });
  await withReleases(101);
  await rig.get(IMAGES);
  expect(rig.calls().list).toBe(2);
  rig.github.store.remove('owner/repo', 'hello/v1.0.0');
  rig.later(61);
  expect(versions(await rig.get(IMAGES))).toBe(101);
  expect(rig.calls().list).toBe(3);
  rig.later(600);
  expect(versions(await rig.get(IMAGES))).toBe(100);
}, 30_000);

test('a refresh that takes long is waited for once; meanwhile the last good documents are given at once', async () => {
  rig = await startRig({ limits: { refreshWaitSeconds: 0.3 } });
  await withReleases(1);
  await rig.get(IMAGES);
  rig.github.faults.hang({ match: /^GET api/ });
  rig.later(61);
  await rig.get(IMAGES);
  const begun = Date.now();
  for (let n = 0; n < 10; n++) expect((await rig.get(IMAGES)).status).toBe(200);
  expect(Date.now() - begun).toBeLessThan(2_500);
});
