import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Acting } from '#libs/contracts/activities.js';
import type { ImportPlan, PlannedFile } from '#libs/contracts/images.js';
import type { WaitDetails } from '#libs/contracts/progress.js';
import { Staging } from '#libs/images/staging.js';
import type { Call } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';
import { fetchSteps } from './fetch.js';

const acting: Acting = { kind: 'import', name: 'image-a', operationId: 'op', uid: '' };
const METADATA = randomBytes(1_000);
const ROOTFS = randomBytes(50_000);
const sha256 = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest('hex');

interface Answer {
  readonly bytes: Buffer;
  readonly startsAt?: number;
  readonly totalBytes?: number;
  readonly cut?: true;
}

let folder: string;
let staging: Staging;
/** What the server gives, by url; and what was asked. */
let answers: ((from: number) => Answer)[];
let asked: string[];
let waits: (WaitDetails | undefined)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-'));
  staging = new Staging({ folder, limitBytes: 1e9 });
  answers = [];
  asked = [];
  waits = [];
});
afterEach(() => rm(folder, { recursive: true }));

function whole(from: number): Answer {
  return { bytes: ROOTFS.subarray(from) };
}

const servers = {
  open: async (url: string, { from = 0 }: { from?: number }) => {
    asked.push(`${url} ${from}`);
    if (url.endsWith('metadata')) return { body: Readable.from([METADATA]), startsAt: 0, totalBytes: METADATA.length };
    const { startsAt = from, bytes, totalBytes = ROOTFS.length, cut } = (answers.shift() ?? whole)(from);
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      if (cut) throw new Error('socket hang up');
    }
    return { body: Readable.from(chunks()), startsAt, totalBytes };
  },
} as unknown as ImageDeps['servers'];

const call = (): Call => ({
  signal: new AbortController().signal,
  me: { workflowId: 'w', runId: 'r' },
  attempt: 1,
  sinceMs: () => 0,
  waiting: (details) => waits.push(details),
});

function planned(role: PlannedFile['role'], bytes: Buffer): PlannedFile {
  return { role, name: role, sizeBytes: bytes.length, sha256: sha256(bytes), location: { at: 'url', url: `https://x.example/${role}` } };
}
const plan: ImportPlan = {
  source: 'simplestreams:x',
  version: '1',
  architecture: 'x86_64',
  files: [planned('metadata', METADATA), planned('rootfs', ROOTFS)],
  passedOver: [],
};
const run = (of = plan) => fetchSteps({ staging, servers } as unknown as ImageDeps).fetchImage(call(), acting, of);
const rootfs = async () => join(await staging.importFolder('image-a', 'op'), 'rootfs');

const fetched = {
  files: [
    { role: 'metadata', sha256: sha256(METADATA), sizeBytes: METADATA.length },
    { role: 'rootfs', sha256: sha256(ROOTFS), sizeBytes: ROOTFS.length },
  ],
  fingerprint: sha256(METADATA, ROOTFS),
  transferredBytes: METADATA.length + ROOTFS.length,
};

describe('a download', () => {
  test('gives the digests of what came, and says how far it is', async () => {
    expect(await run()).toEqual(fetched);
    expect(waits.some((details) => /rootfs: 0\.0 of 0\.1 MB \(\d+ %/.test(details?.waitingFor ?? ''))).toBe(true);
    expect(waits.at(-1)).toBeUndefined();
  });

  test('that is there already is not asked for again', async () => {
    await run();
    asked.length = 0;
    expect(await run()).toEqual(fetched);
    expect(asked).toEqual([]);
  });

  test('that is cut can be tried again, and goes on where it was cut', async () => {
    answers.push((from) => ({ bytes: ROOTFS.subarray(from, 20_000), cut: true }));
    await expect(run()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('cut at 20000 of 50000 bytes') });
    expect((await stat(await rootfs())).size).toBe(20_000);
    expect(await run()).toEqual(fetched);
    expect(asked).toEqual(['https://x.example/metadata 0', 'https://x.example/rootfs 0', 'https://x.example/rootfs 20000']);
  });

  test('from a server that ignores ranges begins anew, and comes out right', async () => {
    await writeFile(await rootfs(), ROOTFS.subarray(0, 30_000));
    answers.push(() => ({ startsAt: 0, bytes: ROOTFS }));
    expect(await run()).toMatchObject({ files: fetched.files, fingerprint: fetched.fingerprint });
  });

  test('whose beginning was spoilt on the disk is done again from the beginning', async () => {
    await writeFile(await rootfs(), Buffer.alloc(30_000));
    await expect(run()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('from the beginning') });
    expect(await readdir(await staging.importFolder('image-a', 'op'))).toEqual(['metadata']);
    expect(await run()).toEqual(fetched);
  });

  test.each([
    ['of another size than announced', () => ({ bytes: ROOTFS, totalBytes: ROOTFS.length + 1 })],
    ['that does not end', () => ({ bytes: Buffer.concat([ROOTFS, ROOTFS]) })],
    ['that begins elsewhere', () => ({ startsAt: 7, bytes: ROOTFS.subarray(7) })],
  ])('%s is refused for good', async (_what, answer) => {
    answers.push(answer);
    await expect(run()).rejects.toMatchObject({ code: 'PROTOCOL' });
  });

  test('of other bytes is told by its digest, not hidden', async () => {
    answers.push(() => ({ bytes: Buffer.alloc(ROOTFS.length, 1) }));
    const { files } = await run();
    expect(files[1]?.sha256).toBe(sha256(Buffer.alloc(ROOTFS.length, 1)));
  });
});
