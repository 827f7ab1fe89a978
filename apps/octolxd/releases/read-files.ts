import { z } from 'zod';
import { Turns } from '#libs/concurrency/turns.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { AssetBytes, ReleaseAsset, Repository } from '#libs/github/types.js';
import { readMetadata } from '#libs/image-archive/read-metadata.js';
import type { Logger } from '#libs/logging/logger.js';
import type { DiskStore } from '../disk/disk-store.js';
import type { Upstream } from '../upstream.js';

/** What a small file of a release said. */
export const readSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('metadata'), yaml: z.string(), sha256: z.string() }),
  z.strictObject({ kind: z.literal('checksum'), text: z.string() }),
  z.strictObject({ kind: z.literal('refused'), reason: z.string(), untilMs: z.number() }),
]);
export type Read = z.output<typeof readSchema>;
type ReadOf<K extends Read['kind']> = Extract<Read, { kind: K }>;

export interface ReadFilesOptions {
  readonly upstream: Upstream;
  readonly store: DiskStore<Read>;
  readonly metadataBytes: number;
  readonly atOnce: number;
  /** How long a file that is not what it should be is not looked at again. */
  readonly refusedMs: number;
  readonly log: Logger;
  readonly now: () => number;
}

/** More than a checksum is, so that a longer one is not taken for it. */
const CHECKSUM_BYTES = 80;

/**
 * Metadata and checksums of releases, each read once ever: an asset's id together with its digest (or time of change) never means other bytes.
 * One read for any number who ask.
 */
export class ReadFiles {
  readonly #turns: Turns;
  readonly #underWay = new Map<string, Promise<Read>>();

  constructor(private readonly options: ReadFilesOptions) {
    this.#turns = new Turns(options.atOnce);
  }

  /** @throws PlatformError INVALID_INPUT or PROTOCOL for what is no image metadata; others for what could not be read now. */
  metadata(repository: Repository, asset: ReleaseAsset): Promise<ReadOf<'metadata'>> {
    return this.#read('metadata', repository, asset, async () => {
      const { metadataBytes } = this.options;
      if (asset.sizeBytes > metadataBytes) {
        throw new PlatformError('INVALID_INPUT', `${asset.name} has ${asset.sizeBytes} bytes; at most ${metadataBytes} are read`);
      }
      const { yaml, sha256 } = await this.#opened('metadata', repository, asset, asset.sizeBytes, ({ body }) =>
        readMetadata(body, { limits: { compressedBytes: metadataBytes } }),
      );
      if (asset.sha256 !== undefined && asset.sha256 !== sha256) {
        throw new PlatformError('PROTOCOL', `${asset.name} does not have the digest that GitHub says`);
      }
      return { kind: 'metadata', yaml, sha256 };
    });
  }

  /** The beginning of a checksum file: its digest and a little more. */
  async checksum(repository: Repository, asset: ReleaseAsset): Promise<string> {
    const { text } = await this.#read('checksum', repository, asset, async () => {
      const beginning = await this.#opened('checksum', repository, asset, CHECKSUM_BYTES, textOf);
      return { kind: 'checksum', text: beginning };
    });
    return text;
  }

  async #read<K extends 'metadata' | 'checksum'>(
    kind: K,
    repository: Repository,
    asset: ReleaseAsset,
    work: () => Promise<Read>,
  ): Promise<ReadOf<K>> {
    const key = `${kind} ${asset.id} ${asset.sha256 ?? asset.updatedAt}`;
    const running = this.#underWay.get(key) ?? this.#known(key, repository, asset, work);
    this.#underWay.set(key, running);
    try {
      const read = await running;
      if (read.kind === 'refused') throw new PlatformError('INVALID_INPUT', read.reason);
      return read as ReadOf<K>;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #known(key: string, repository: Repository, asset: ReleaseAsset, work: () => Promise<Read>): Promise<Read> {
    const { store, now, refusedMs, log } = this.options;
    const known = await store.get(key);
    if (known && (known.kind !== 'refused' || known.untilMs > now())) return known;
    const read = await this.#turns.run(work).catch((error: unknown): Read => {
      if (!isPlatformError(error, 'INVALID_INPUT') && !isPlatformError(error, 'PROTOCOL')) throw error;
      log.warn({ repository, asset: asset.name, reason: error.message }, 'a file of a release is not what it should be');
      return { kind: 'refused', reason: error.message, untilMs: now() + refusedMs };
    });
    await store.set(key, read);
    return read;
  }

  async #opened<T>(
    kind: 'metadata' | 'checksum',
    repository: Repository,
    asset: ReleaseAsset,
    bytes: number,
    use: (opened: AssetBytes) => Promise<T>,
  ): Promise<T> {
    const opened = await this.options.upstream.openAsset(kind, repository, asset, { from: 0, to: Math.max(0, bytes - 1) });
    try {
      return await use(opened);
    } finally {
      // A server that ignores ranges goes on sending.
      (opened.body as unknown as { destroy?: () => void }).destroy?.();
    }
  }
}

async function textOf({ body }: AssetBytes): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= CHECKSUM_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, CHECKSUM_BYTES).toString('latin1');
}
