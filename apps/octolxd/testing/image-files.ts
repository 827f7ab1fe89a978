import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import tar from 'tar-stream';

export interface ImageFilesOptions {
  readonly architecture?: string;
  /** As `metadata.yaml` has it; that of the options unless given. */
  readonly metadataArchitecture?: string;
  /** Seconds since 1970. */
  readonly createdAt?: number;
  readonly properties?: Readonly<Record<string, string>>;
  readonly rootBytes?: number;
}

export type Files = Readonly<Record<string, Buffer>>;

/** The five assets of one architecture, by the naming scheme; the root file system is of random bytes. */
export async function imageFiles(options: ImageFilesOptions = {}): Promise<Files> {
  const { architecture = 'amd64', createdAt = 1_780_000_000, rootBytes = 4_096 } = options;
  const metadata = await metadataArchive({ ...options, architecture, createdAt });
  const root = randomBytes(rootBytes);
  return {
    [`lxd.${architecture}.tar.xz`]: metadata,
    [`lxd.${architecture}.tar.xz.sha256`]: sumLine(`lxd.${architecture}.tar.xz`, metadata),
    [`rootfs.${architecture}.squashfs`]: root,
    [`rootfs.${architecture}.squashfs.sha256`]: sumLine(`rootfs.${architecture}.squashfs`, root),
    [`combined.${architecture}.sha256`]: sumLine('-', metadata, root),
  };
}

/** The block of checksums that a release's text may hold, so that no checksum file need be read. */
export function checksumBlock(files: Files): string {
  const digests = Object.entries(files).flatMap(([name, bytes]) => (name.endsWith('.sha256') ? [] : [`${sha256(bytes)}  ${name}`]));
  const combined = Object.entries(files)
    .filter(([name]) => name.startsWith('combined.'))
    .map(([name, text]) => `${text.toString('latin1').slice(0, 64)}  ${name.replace(/\.sha256$/, '')}`);
  return ['Checksums:', '```', ...digests, ...combined, '```'].join('\n');
}

export async function tarXz(
  entries: readonly { readonly name: string; readonly content?: string; readonly linkname?: string }[],
): Promise<Buffer> {
  const pack = tar.pack();
  for (const { name, content = '', linkname } of entries) {
    pack.entry(linkname === undefined ? { name } : { name, type: 'symlink', linkname }, content);
  }
  pack.finalize();
  return await compressed(await buffer(pack));
}

export async function compressed(bytes: Buffer): Promise<Buffer> {
  const running = promisify(execFile)('xz', ['-T1', '-0', '-c'], { encoding: 'buffer', maxBuffer: 2 ** 30 });
  const { stdin } = running.child;
  stdin?.end(bytes);
  if (stdin && !stdin.writableFinished) await once(stdin, 'finish');
  return (await running).stdout;
}

export function sha256(...parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

function sumLine(name: string, ...parts: readonly Buffer[]): Buffer {
  return Buffer.from(`${sha256(...parts)}  ${name}\n`);
}

async function metadataArchive(options: ImageFilesOptions & { architecture: string; createdAt: number }): Promise<Buffer> {
  const { architecture, metadataArchitecture = architecture, createdAt, properties = {} } = options;
  const described = { os: 'hello', release: '1', variant: 'default', description: 'An image of a test', ...properties };
  const yaml = JSON.stringify({ architecture: metadataArchitecture, creation_date: createdAt, properties: described });
  return await tarXz([{ name: 'metadata.yaml', content: yaml }]);
}
