import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage, type Image } from './image.js';
import { SAMPLE_REPOSITORY } from './octolxd.js';
import type { Profile } from './profile.js';

/** As image servers call this machine's. */
export const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Two releases of the image `hello`, as the simulator of GitHub serves them; what is there stays. */
export async function publishSampleImages(profile: Profile): Promise<void> {
  for (const [tag, serial] of [
    ['hello/v1.0.0', '1.0.0'],
    ['hello/v1.1.0', '1.1.0'],
  ] as const) {
    publishInFolder(profile, tag, await buildImage({ serial }));
  }
}

/** Puts an image into the folder of the simulator as a release of that tag: all of it at once. */
export function publishInFolder({ paths }: Profile, tag: string, image: Image): void {
  const repository = join(paths.github, ...SAMPLE_REPOSITORY.split('/'));
  const folder = join(repository, encodeURIComponent(tag));
  if (existsSync(folder)) return;
  const unfinished = join(repository, `.${encodeURIComponent(tag)}`);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  for (const [name, content] of Object.entries(releaseFiles(image))) {
    if (typeof content === 'string') writeFileSync(join(unfinished, name), content);
    else copyFileSync(content.path, join(unfinished, name));
  }
  writeFileSync(join(unfinished, '.release.json'), JSON.stringify({ body: releaseText(image) }));
  renameSync(unfinished, folder);
}

/** The five assets of an image by the naming scheme: files, or their text. */
export function releaseFiles({ metadataFile, rootfsFile, fingerprint }: Image): Record<string, string | { readonly path: string }> {
  const [metadata, root] = [`lxd.${ARCHITECTURE}.tar.xz`, `rootfs.${ARCHITECTURE}.squashfs`];
  return {
    [metadata]: { path: metadataFile },
    [`${metadata}.sha256`]: `${sumOf(metadataFile)}  ${metadata}\n`,
    [root]: { path: rootfsFile },
    [`${root}.sha256`]: `${sumOf(rootfsFile)}  ${root}\n`,
    [`combined.${ARCHITECTURE}.sha256`]: `${fingerprint}  -\n`,
  };
}

/** The release's text with the block of checksums that saves reading the files. */
export function releaseText({ metadataFile, rootfsFile, fingerprint }: Image): string {
  const lines = [
    `${sumOf(metadataFile)}  lxd.${ARCHITECTURE}.tar.xz`,
    `${sumOf(rootfsFile)}  rootfs.${ARCHITECTURE}.squashfs`,
    `${fingerprint}  combined.${ARCHITECTURE}`,
  ];
  return ['```', ...lines, '```', ''].join('\n');
}

function sumOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
