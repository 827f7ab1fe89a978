import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createGithub } from '#libs/github/create-github.js';
import type { Github } from '#libs/github/types.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { Call } from '../shared/guard.js';
import { type ImageDeps, KnownListings } from './deps.js';
import { resolveSteps } from './resolve.js';
import { candidatesOf } from './resolve-github.js';
import { watchSteps } from './watch.js';

const REPOSITORY = 'netsoc/images';
const signal = new AbortController().signal;
const call: Call = { signal, me: { workflowId: 'w', runId: 'r' }, attempt: 1, sinceMs: () => 0, waiting: () => undefined };
const SOURCES = [
  { source: `github:${REPOSITORY}/hello`, alias: 'hello', range: '*', policy: 'import', prereleases: false },
  { source: `github:${REPOSITORY}/other`, alias: 'other', range: '^1', policy: 'approve', prereleases: false, keep: 5 },
];

let github: GithubDouble;
let client: Github;
let double: LxdDouble;
let lxd: LxdClient;
let deps: ImageDeps;
let cancelled: Set<string>;

beforeEach(async () => {
  github = await startGithubDouble();
  client = createGithub(github.config());
  double = await startLxdDouble({ images: [] });
  lxd = createLxdClient({ socket: double.socket });
  cancelled = new Set();
  const config = { keep: 2, stagingBytes: 1, sources: SOURCES, approvalSeconds: 60, prune: { unusedDays: 1 } };
  const runs = { wasCancelled: async (id: string) => cancelled.has(id) };
  deps = { lxd, github: client, runs, config } as unknown as ImageDeps;
});
afterEach(async () => {
  await Promise.all([client.close(), lxd.close()]);
  await Promise.all([github.close(), double.close()]);
});

const FILES = {
  'lxd.amd64.tar.xz': 'metadata',
  'rootfs.amd64.squashfs': 'root',
  'rootfs.amd64.squashfs.sha256': `${'a'.repeat(64)}  rootfs.amd64.squashfs\n`,
  'combined.amd64.sha256': `${'b'.repeat(64)}\n`,
};
const publish = (tag: string, changes: object = {}) => github.publish(REPOSITORY, { tag, files: FILES, digest: 'none', ...changes });
const evidence = (source: string, version: string, alias: string) => ({
  'webspaces.source': source,
  'webspaces.version': version,
  'webspaces.operation': 'o',
  'webspaces.alias': alias,
});
const look = (repository?: string) => watchSteps(deps).checkSources(call, repository === undefined ? {} : { repository });
const resolve = (source: object, changes: object = {}) =>
  resolveSteps(deps).resolveImport(call, {} as never, {
    ...{ name: 'image-a', operationId: 'op', requestedBy: { subject: '1', username: 'root' }, alias: 'hello' },
    source: { kind: 'github', owner: 'netsoc', repository: 'images', image: 'hello', ...source } as never,
    ...changes,
  });

describe('a look at the sources', () => {
  test('finds the newest version that is allowed, once, with the policy and an id of its own', async () => {
    for (const tag of ['hello/v1.9.0', 'hello/v1.10.0', 'other/v1.2.3', 'other/v2.0.0', 'no-tag']) await publish(tag);
    await publish('hello/v3.0.0', { prerelease: true });
    await publish('hello/v4.0.0', { draft: true });
    const { checked, found, problems } = await look();
    expect([checked, problems]).toEqual([2, []]);
    expect(found.map(({ source, version, input }) => [source, version, input.alias, input.approvalSeconds, input.keep])).toEqual([
      [SOURCES[0]?.source, '1.10.0', 'hello', undefined, undefined],
      [SOURCES[1]?.source, '1.2.3', 'other', 60, 5],
    ]);
    expect((await look()).found.map(({ input }) => input.operationId)).toEqual(found.map(({ input }) => input.operationId));
    expect(found[0]?.input.source).toMatchObject({ version: '1.10.0' });
  });

  test('asks once for each repository, and conditionally the next time', async () => {
    await publish('hello/v1.0.0');
    const steps = watchSteps(deps);
    await steps.checkSources(call, {});
    github.resetCounts();
    await steps.checkSources(call, {});
    expect([github.counts.api, github.counts.notModified]).toEqual([1, 1]);
  });

  test('finds nothing when the alias has it or a newer one, and everything of another source', async () => {
    await publish('hello/v1.0.0');
    double.addImage('hello', { properties: evidence(SOURCES[0]?.source ?? '', '1.0.0', 'hello') });
    expect((await look()).found).toEqual([]);
    for (const image of double.images.values()) Object.assign(image.properties, evidence('github:else/where/hello', '9.0.0', 'hello'));
    expect((await look()).found).toMatchObject([{ version: '1.0.0' }]);
  });

  test('leaves alone what an admin has cancelled, and says so', async () => {
    await publish('hello/v1.0.0');
    const [found] = (await look()).found;
    cancelled.add(`import:${found?.input.name}:${found?.input.operationId}`);
    expect(await look()).toMatchObject({ found: [], problems: [expect.stringContaining('was cancelled')] });
  });

  test('names what cannot be read, and goes on; of one repository only when that is asked for', async () => {
    github.faults.error(500, 'broken');
    expect(await look()).toMatchObject({ checked: 2, found: [], problems: [expect.any(String), expect.any(String)] });
    expect(await look('NETSOC/Images')).toMatchObject({ checked: 2 });
    expect(await look('netsoc/image')).toEqual({ checked: 0, found: [], problems: [] });
  });
});

describe('what is imported from GitHub', () => {
  test('is planned with everything the release says, by asset', async () => {
    await publish('hello/v1.0.0');
    const plan = await resolve({});
    expect(plan).toMatchObject({ source: SOURCES[0]?.source, version: '1.0.0', architecture: 'x86_64', fingerprint: 'b'.repeat(64) });
    expect(plan.files).toMatchObject([
      {
        role: 'metadata',
        name: 'lxd.amd64.tar.xz',
        sizeBytes: 8,
        location: { at: 'github', owner: 'netsoc', assetName: 'lxd.amd64.tar.xz' },
      },
      { role: 'rootfs', sizeBytes: 4, sha256: 'a'.repeat(64) },
    ]);
    expect(JSON.stringify(plan).length).toBeLessThan(3_000);
  });

  test('passes over newer versions that have no container for the architecture, and says why', async () => {
    await publish('hello/v1.0.0');
    await publish('hello/v1.1.0', { files: { 'lxd.amd64.tar.xz': 'x', 'disk.amd64.qcow2': 'x' } });
    await publish('hello/v1.2.0', { files: {} });
    const { version, passedOver } = await resolve({});
    expect([version, passedOver.length]).toEqual(['1.0.0', 2]);
    await expect(resolve({ version: '1.2.0' })).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('1.2.0:') });
  });

  test('does not take an alias back to an older version that had waited too long for its approval', async () => {
    await publish('hello/v1.0.0');
    double.addImage('hello', { properties: evidence(SOURCES[0]?.source ?? '', '1.1.0', 'hello') });
    const requestedBy = { subject: 'image-sources', username: 'image sources' };
    await expect(resolve({ version: '1.0.0' }, { requestedBy })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await resolve({ version: '1.0.0' })).version).toBe('1.0.0');
  });

  test.each([
    ['*', ['2.0.0', '1.10.0-2', '1.10.0-1', '1.9.0']],
    ['^1', ['1.10.0-2', '1.10.0-1', '1.9.0']],
    ['1.10.0-1', ['1.10.0-1']],
    ['>=3', []],
    ['3.0.0', ['3.0.0']],
  ])('%s allows %j', async (version, expected) => {
    for (const each of ['1.9.0', '1.10.0-1', '1.10.0-2', '2.0.0']) await publish(`hello/v${each}`);
    await publish('hello/v3.0.0', { prerelease: true });
    const listing = await new KnownListings(client).read({ owner: 'netsoc', name: 'images' }, signal);
    expect(candidatesOf(listing, { image: 'hello', version }).map((each) => each.version)).toEqual(expected);
  });
});

test('cached images that nobody uses go, others stay', async () => {
  const long = '2020-01-01T00:00:00Z';
  const cached = double.addImage(undefined, { cached: true, uploaded_at: long });
  const used = double.addImage(undefined, { cached: true, uploaded_at: long, size: 1 });
  const ours = double.addImage(undefined, { uploaded_at: long, size: 2 });
  double.addInstance('ws-u1', { config: { 'volatile.base_image': used.fingerprint } });
  expect(await watchSteps(deps).pruneImages(call)).toEqual([cached.fingerprint]);
  expect([...double.images.keys()]).toEqual([used.fingerprint, ours.fingerprint]);
});
