import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../exec.js';

/** An image of the archive; `config` is the member of that name in the OCI image configuration. */
export interface OciImage {
  /** With registry and tag, as containerd keeps it: `docker.io/lab/lxd:5.0.2-1`. */
  readonly name: string;
  /** One layer each, from the lowest up: a folder, or a file of {@link packLayer}. */
  readonly roots: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const TYPE = 'application/vnd.oci.image';

/**
 * Writes images as one OCI archive, without a registry and without a builder: one layer for each root, and images of the same root share it. Equal
 * roots give equal layers. Needs room for the layers beside the archive.
 */
export async function writeOciArchive(file: string, images: readonly OciImage[]): Promise<void> {
  const work = mkdtempSync(join(dirname(file), 'oci-'));
  try {
    const layers = new Map<string, Blob>();
    const manifests: unknown[] = [];
    mkdirSync(join(work, 'blobs', 'sha256'), { recursive: true });
    for (const image of images) {
      for (const root of image.roots) if (!layers.has(root)) layers.set(root, await layerOf(work, root));
      const own = image.roots.flatMap((root) => layers.get(root) ?? []);
      manifests.push(await manifestOf(work, image, own));
    }
    writeFileSync(join(work, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    writeFileSync(join(work, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await run('tar', ['-C', work, '-cf', file, 'oci-layout', 'index.json', 'blobs']);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function layerOf(work: string, root: string): Promise<Blob> {
  const file = join(work, 'layer');
  if (statSync(root).isDirectory()) await packLayer(root, file);
  else copyFileSync(root, file);
  return keep(work, 'layer');
}

/** Packs a folder as a layer; equal folders give equal files. */
export async function packLayer(root: string, file: string): Promise<void> {
  const owner = ['--numeric-owner', '--xattrs', '--sort=name', '--mtime=@1700000000'];
  await run('tar', [...owner, '-C', root, '-cf', file, '.'], { timeoutMs: 120_000 });
}

async function manifestOf(work: string, { name, config }: OciImage, layers: readonly Blob[]): Promise<object> {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const configBlob = await keepJson(work, { architecture, os: 'linux', config, rootfs });
  const manifest = await keepJson(work, {
    schemaVersion: 2,
    mediaType: `${TYPE}.manifest.v1+json`,
    config: { mediaType: `${TYPE}.config.v1+json`, ...configBlob },
    layers: layers.map((layer) => ({ mediaType: `${TYPE}.layer.v1.tar`, ...layer })),
  });
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1) };
  return { mediaType: `${TYPE}.manifest.v1+json`, ...manifest, annotations };
}

function keepJson(work: string, value: object): Promise<Blob> {
  writeFileSync(join(work, 'json'), JSON.stringify(value));
  return keep(work, 'json');
}

/** Moves a file to where its digest says. */
async function keep(work: string, name: string): Promise<Blob> {
  const file = join(work, name);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const hex = hash.digest('hex');
  const { size } = statSync(file);
  renameSync(file, join(work, 'blobs', 'sha256', hex));
  return { digest: `sha256:${hex}`, size };
}
