import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Acting } from '#libs/contracts/activities.js';
import type { FetchedImage, ImportImageInput, ImportPlan } from '#libs/contracts/images.js';
import { evidenceOf } from '#libs/domain/image-evidence.js';
import { Staging } from '#libs/images/staging.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { Call } from '../shared/guard.js';
import { cleanUpSteps } from './clean-up.js';
import { createSteps } from './create.js';
import type { ImageDeps } from './deps.js';
import { fetchSteps } from './fetch.js';
import { architectureFor } from './resolve.js';
import { spaceSteps } from './space.js';
import { verifySteps } from './verify.js';

const acting: Acting = { kind: 'import', name: 'image-a', operationId: 'op', uid: '' };
const signal = new AbortController().signal;
const me = { workflowId: 'import:image-a:op', runId: 'r' };
const call = (attempt = 1): Call => ({ signal, me, attempt, sinceMs: () => 0, waiting: () => undefined });

let folder: string;
let double: LxdDouble;
let lxd: LxdClient;
let deps: ImageDeps;
let plan: ImportPlan;
let fetched: FetchedImage;

/** A metadata archive of that text. */
async function archive(yaml: string): Promise<Buffer> {
  const at = await mkdtemp(join(folder, 'metadata-'));
  await writeFile(join(at, 'metadata.yaml'), yaml);
  return execFileSync('tar', ['-C', at, '-cJf', '-', 'metadata.yaml']);
}

async function fetch(metadata: Buffer, changes: Partial<ImportPlan> = {}): Promise<void> {
  await deps.staging.removeImport('image-a', 'op');
  const files = [];
  for (const [role, bytes] of [['metadata', metadata] as const, ['rootfs', randomBytes(5_000)] as const]) {
    const { id, sizeBytes, sha256 } = await deps.staging.receive(Readable.from([bytes]), { maxBytes: 1e6 });
    files.push({ role, name: role, sizeBytes, sha256, location: { at: 'upload' as const, id } });
  }
  plan = { source: 'upload', version: '1', architecture: 'x86_64', files, passedOver: [], ...changes };
  fetched = await fetchSteps(deps).fetchImage(call(), acting, plan);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'images-'));
  double = await startLxdDouble({ images: ['hello'], pool: { totalBytes: 1_000_000, usedBytes: 0 } });
  lxd = createLxdClient({ socket: double.socket, waitSliceSeconds: 1 });
  const locks = { assertHeld: async () => undefined, releaseIfHeld: async () => undefined };
  const config = { keep: 2, stagingBytes: 1e6, sources: [], approvalSeconds: 1, prune: { unusedDays: 0 } };
  const staging = new Staging({ folder: join(folder, 'staging'), limitBytes: 1e6 });
  deps = { lxd, locks, staging, config, profiles: ['default'], runs: { isOpen: async () => true } } as unknown as ImageDeps;
  await fetch(await archive('architecture: x86_64\ncreation_date: 1\nproperties: {os: test}\n'));
});
afterEach(async () => {
  await lxd.close();
  await double.close();
  await rm(folder, { recursive: true });
});

const input: ImportImageInput = {
  ...acting,
  requestedBy: { subject: '1', username: 'root' },
  alias: 'mine',
  source: { kind: 'github', owner: 'a', repository: 'b', image: 'c' },
};
const create = (attempt?: number) => createSteps(deps).createImage(call(attempt), acting, { input, plan, fetched });
const evidence = async () => evidenceOf(await lxd.images.get(fetched.fingerprint));

describe('the image', () => {
  test('is made once with its evidence, however often it is asked for', async () => {
    expect(await create()).toBe('created');
    expect(await evidence()).toMatchObject({
      source: 'upload',
      alias: 'mine',
      operation: me.workflowId,
      importedBy: 'root',
      adopted: false,
    });
    expect(await create(2)).toBe('created');
    expect(double.images.size).toBe(2);
  });

  test('of the same bytes is adopted: it gets evidence if it has none, and stays when the import is abandoned', async () => {
    double.addImage(undefined, { fingerprint: fetched.fingerprint, properties: { os: 'by hand' } });
    expect(await create()).toBe('adopted');
    expect(await create(2)).toBe('adopted');
    expect(await evidence()).toMatchObject({ operation: me.workflowId, adopted: true });
    await cleanUpSteps(deps).abandonImport(call(), acting);
    expect(double.images.has(fetched.fingerprint)).toBe(true);
  });

  test('goes when the import is abandoned, unless its alias was moved or an instance is made of it', async () => {
    const { moveAlias } = createSteps(deps);
    await create();
    await cleanUpSteps(deps).abandonImport(call(), acting);
    expect(double.images.has(fetched.fingerprint)).toBe(false);
    await fetch(await archive('architecture: x86_64\ncreation_date: 2\n'));
    await create();
    double.addInstance('ws-u1', { config: { 'volatile.base_image': fetched.fingerprint } });
    await cleanUpSteps(deps).abandonImport(call(), acting);
    expect(double.images.has(fetched.fingerprint)).toBe(true);
    double.removeInstance('ws-u1');
    expect(await moveAlias(call(), acting, 'mine', fetched.fingerprint)).toEqual({});
    await cleanUpSteps(deps).abandonImport(call(), acting);
    expect(double.images.has(fetched.fingerprint)).toBe(true);
  });

  test('an alias is moved, and says from where, once', async () => {
    const before = [...double.images.keys()][0];
    await create();
    const { moveAlias } = createSteps(deps);
    expect(await moveAlias(call(), acting, 'hello', fetched.fingerprint)).toEqual({ previous: before });
    expect(await moveAlias(call(2), acting, 'hello', fetched.fingerprint)).toEqual({});
    expect(await lxd.images.resolveAlias('hello')).toBe(fetched.fingerprint);
  });

  test('nothing old is removed while an instance cannot be read', async () => {
    double.addInstance('ws-u1');
    double.faults.errorInstances.add('ws-u1');
    for (const age of [3, 2, 1]) {
      double.addImage(undefined, {
        fingerprint: String(age).repeat(64),
        properties: {
          'webspaces.source': 's',
          'webspaces.operation': 'o',
          'webspaces.alias': 'mine',
          'webspaces.imported-at': `2026-01-0${age}`,
        },
      });
    }
    const { removeOldVersions } = createSteps(deps);
    expect(await removeOldVersions(call(), acting, 'mine', 1)).toEqual([]);
    double.faults.errorInstances.clear();
    expect(await removeOldVersions(call(), acting, 'mine', 1)).toEqual(['2'.repeat(64), '1'.repeat(64)]);
  });
});

describe('before anything is created', () => {
  const verify = () => verifySteps(deps).verifyImage(call(), acting, plan, fetched);

  test('all is right', async () => {
    await expect(verify()).resolves.toBeUndefined();
  });

  test.each([
    ['architecture: aarch64\ncreation_date: 1\n', 'INVALID_INPUT', 'made for aarch64'],
    ['creation_date: 1\n', 'INVALID_INPUT', 'architecture'],
    ['architecture: x86_64\ncreation_date: 1\nproperties: {webspaces.archive: forged}\n', 'INVALID_INPUT', 'webspaces.archive'],
  ])('metadata %j is %s', async (yaml, code, message) => {
    await fetch(await archive(yaml));
    await expect(verify()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('a fingerprint that is not the announced one is told', async () => {
    plan = { ...plan, fingerprint: '0'.repeat(64) };
    await expect(verify()).rejects.toMatchObject({ code: 'PROTOCOL', details: { reason: 'digest' } });
  });

  test('the pool has room for it unpacked, or says how much is missing', async () => {
    const large = { ...plan, files: plan.files.map((file) => ({ ...file, sizeBytes: 200_000 })) };
    await expect(spaceSteps(deps).checkSpace(call(), acting, plan)).resolves.toBeUndefined();
    await expect(spaceSteps(deps).checkSpace(call(), acting, large)).rejects.toMatchObject({
      code: 'OPERATION_FAILED',
      message: expect.stringContaining('storage pool default has 1 MB left, and the import needs 2 MB'),
    });
  });
});

describe('the architecture', () => {
  const member = (architecture: string, status = 'Online') => ({
    ...{ server_name: architecture + status, url: '', status, message: '', roles: [], architecture },
  });
  const withMembers = (...members: ReturnType<typeof member>[]) => ({ ...lxd, cluster: { members: async () => members } }) as LxdClient;

  test.each([
    [[], undefined, 'x86_64'],
    [[member('aarch64'), member('x86_64'), member('aarch64')], undefined, 'aarch64'],
    [[member('aarch64', 'Offline'), member('aarch64', 'Offline'), member('x86_64')], undefined, 'x86_64'],
    [[member('aarch64'), member('x86_64'), member('aarch64')], 'amd64', 'x86_64'],
  ])('of members %j asked for %j is %s', async (members, wanted, expected) => {
    expect(await architectureFor(withMembers(...members), wanted, signal)).toBe(expected);
  });

  test('that no member runs is refused', async () => {
    await expect(architectureFor(withMembers(member('aarch64')), 'amd64', signal)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
