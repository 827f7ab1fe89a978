import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import tar from 'tar-stream';
import { readMetadata } from './read-metadata.js';

const YAML = 'architecture: x86_64\ncreation_date: 1700000000\n';

interface TarEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly type?: 'symlink' | 'link' | 'character-device' | 'fifo' | 'directory';
  readonly linkname?: string;
}

async function packed(entries: readonly TarEntry[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const { content = '', ...header } of entries) pack.entry({ ...header }, content);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function compressed(bytes: Buffer, ...options: string[]): Buffer {
  return spawnSync('xz', ['--compress', '--stdout', ...options], { input: bytes, maxBuffer: 1e9 }).stdout;
}

const archive = async (entries: readonly TarEntry[]): Promise<Buffer> => compressed(await packed(entries), '-0');

function inPieces(bytes: Buffer, size = 100): Readable {
  return Readable.from(Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size)));
}

describe('a metadata archive', () => {
  test.each([
    ['metadata.yaml', [{ name: 'metadata.yaml', content: YAML }]],
    [
      './metadata.yaml after other entries',
      [
        { name: './templates/', type: 'directory' as const },
        { name: './templates/hosts.tpl', content: 'x' },
        { name: './metadata.yaml', content: YAML },
      ],
    ],
    [
      'metadata.yaml before large ones',
      [
        { name: 'metadata.yaml', content: YAML },
        { name: 'big', content: Buffer.alloc(5e6, 'x') },
      ],
    ],
    [
      'metadata.yaml of a folder beside it',
      [
        { name: 'templates/metadata.yaml', content: 'no' },
        { name: 'metadata.yaml', content: YAML },
      ],
    ],
  ])('gives its text, checksum and size: %s', async (_case, entries) => {
    const bytes = await archive(entries);
    expect(await readMetadata(inPieces(bytes))).toEqual({
      yaml: YAML,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      sizeBytes: bytes.length,
    });
  });

  test('of several xz streams, and with the highest level of compression, is read', async () => {
    const bytes = await packed([{ name: 'metadata.yaml', content: YAML }]);
    const two = Buffer.concat([compressed(bytes.subarray(0, 600)), compressed(bytes.subarray(600), '-9')]);
    expect((await readMetadata(inPieces(two))).yaml).toBe(YAML);
  });

  test.each([
    ['a symlink', [{ name: 'metadata.yaml', type: 'symlink' as const, linkname: '/etc/shadow' }], /is a symlink/],
    [
      'a symlink beside it',
      [
        { name: 'metadata.yaml', content: YAML },
        { name: 'a', type: 'symlink' as const, linkname: 'b' },
      ],
      /"a" is a symlink/,
    ],
    ['a hard link', [{ name: 'metadata.yaml', type: 'link' as const, linkname: 'x' }], /is a link/],
    ['a device', [{ name: 'dev', type: 'character-device' as const }], /is a character-device/],
    ['an absolute path', [{ name: '/metadata.yaml', content: YAML }], /absolute path/],
    ['a path that leads out', [{ name: 'templates/../../metadata.yaml', content: YAML }], /leads out/],
    [
      'the same name twice',
      [
        { name: 'metadata.yaml', content: YAML },
        { name: './metadata.yaml', content: YAML },
      ],
      /twice/,
    ],
    ['a folder of that name', [{ name: 'metadata.yaml', type: 'directory' as const }], /is a folder/],
    ['no metadata.yaml', [{ name: 'metadata.yml', content: YAML }], /holds no metadata\.yaml/],
    ['a metadata.yaml of two megabytes', [{ name: 'metadata.yaml', content: Buffer.alloc(2e6, '#') }], /larger than 1048576/],
  ])('is refused with a reason: %s', async (_case, entries, why) => {
    await expect(readMetadata(inPieces(await archive(entries)))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(why),
    });
  });

  test('with more entries than the limit is refused', async () => {
    const many = Array.from({ length: 20 }, (_, at) => ({ name: `f${at}` }));
    await expect(readMetadata(inPieces(await archive(many)), { limits: { entries: 19 } })).rejects.toThrow(/more than 19 entries/);
  });

  test.each([
    ['nothing', Buffer.alloc(0), /xz cannot unpack|not a tar|no metadata/],
    ['an error page', Buffer.from('<html>404 Not Found</html>'), /format not recognized/],
    ['xz of something else', compressed(Buffer.from('hello'.repeat(500))), /not a tar/],
  ])('that is none is refused: %s', async (_case, bytes, why) => {
    await expect(readMetadata(inPieces(bytes))).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(why) });
  });

  test('cut anywhere, or with one byte changed, is refused', async () => {
    const bytes = await archive([{ name: 'metadata.yaml', content: YAML }]);
    for (const at of [1, 11, 12, 30, bytes.length >> 1, bytes.length - 13, bytes.length - 1]) {
      await expect(readMetadata(inPieces(bytes.subarray(0, at)))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      const changed = Buffer.from(bytes);
      changed[at] = (bytes[at] as number) ^ 0xff;
      await expect(readMetadata(inPieces(changed))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
  });
});

describe('an archive made to do harm', () => {
  test('a bomb of 200 MB is stopped early', async () => {
    const bomb = compressed(Buffer.alloc(200e6), '-0', '--threads=2');
    const before = process.memoryUsage().rss;
    await expect(readMetadata(inPieces(bomb, 65_536))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/unpacks to more than 33554432/),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  }, 30_000);

  test('one that needs more memory than xz may have is refused', async () => {
    const greedy = compressed(await packed([{ name: 'metadata.yaml', content: YAML }]), '--lzma2=dict=200MiB');
    await expect(readMetadata(inPieces(greedy))).rejects.toThrow(/[Mm]emory usage limit/);
  });

  test('an endless one is read up to the limit and its source destroyed', async () => {
    const [head, noise] = [await archive([{ name: 'metadata.yaml', content: YAML }]), Buffer.alloc(1e5)];
    let given = 0;
    const endless = new Readable({
      read() {
        given += noise.length;
        this.push(given === noise.length ? head : noise);
      },
    });
    await expect(readMetadata(endless, { limits: { compressedBytes: 1e6 } })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(given).toBeLessThan(3e6);
    expect(endless.destroyed).toBe(true);
  });
});

describe('a source', () => {
  test('that fails gives its own error, and not that of a cut archive', async () => {
    const bytes = await archive([{ name: 'metadata.yaml', content: YAML }]);
    async function* failing(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 50);
      throw new Error('socket hang up');
    }
    await expect(readMetadata(failing())).rejects.toThrow('socket hang up');
  });

  test('that goes silent ends at the deadline, or when the caller gives up', async () => {
    const silent = (): Readable => new Readable({ read: () => undefined });
    await expect(readMetadata(silent(), { limits: { timeoutMs: 50 } })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const source = silent();
    const caller = new AbortController();
    const reading = readMetadata(source, { signal: caller.signal });
    caller.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
    await expect(readMetadata(silent(), { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });
});
