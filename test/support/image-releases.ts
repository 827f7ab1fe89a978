import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { configFile } from '#lab/apps.js';
import type { Lab } from '#lab/harness.js';
import { buildImage } from '#lab/image.js';
import type { GithubDouble } from '#libs/testing/github-double/index.js';

export const REPOSITORY = 'netsoc/images';

/** An image of its own, of about so many bytes. */
export interface TestImage {
  readonly metadata: Buffer;
  readonly rootfsFile: string;
  readonly fingerprint: string;
  readonly sizeBytes: number;
}

/** Makes images that LXD takes, each with other bytes, and publishes them as releases. */
export class ImageReleases {
  readonly #folder = mkdtempSync(join(tmpdir(), 'webspaces-releases-'));

  constructor(readonly github: GithubDouble) {}

  /** A squashfs may be followed by anything: that makes it another one, and as large as is wanted. */
  async make(extraBytes = 1_000): Promise<TestImage> {
    const { metadataFile, rootfsFile } = await buildImage({ serial: 'import' });
    const file = join(this.#folder, randomBytes(8).toString('hex'));
    copyFileSync(rootfsFile, file);
    appendFileSync(file, randomBytes(extraBytes));
    const metadata = readFileSync(metadataFile);
    const rootfs = readFileSync(file);
    const fingerprint = sha256Of(Buffer.concat([metadata, rootfs]));
    return { metadata, rootfsFile: file, fingerprint, sizeBytes: metadata.length + rootfs.length };
  }

  /** The assets of a release, with their checksum files. */
  filesOf({ metadata, rootfsFile, fingerprint }: TestImage, architecture = 'amd64') {
    const root = `rootfs.${architecture}.squashfs`;
    return {
      [`lxd.${architecture}.tar.xz`]: metadata,
      [root]: { path: rootfsFile },
      [`${root}.sha256`]: `${sha256Of(readFileSync(rootfsFile))}  ${root}\n`,
      [`combined.${architecture}.sha256`]: `${fingerprint}\n`,
    };
  }

  async publish(image: string, version: string, extraBytes?: number): Promise<TestImage> {
    const made = await this.make(extraBytes);
    await this.github.publish(REPOSITORY, { tag: `${image}/v${version}`, files: this.filesOf(made) });
    return made;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Writes the settings of images into the configuration of a process; it must be started again. The next `lab.up()` takes them back. */
export function writeImageSettings(lab: Lab, app: 'worker' | 'api', settings: object): void {
  const file = configFile(lab.profile, app);
  const config = parse(readFileSync(file, 'utf8')) as { images: object };
  writeFileSync(file, stringify({ ...config, images: { ...config.images, ...settings } }), { mode: 0o600 });
}

/** The double as the worker's GitHub. */
export function githubSettings({ url, storageHost }: GithubDouble): object {
  return { github: { baseUrl: url, webUrl: url, assetHosts: [storageHost], allowPrivateAddresses: true, timeoutMs: 10_000 } };
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
