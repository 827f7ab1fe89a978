import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { AssetBytes } from '#libs/github/types.js';
import type { Logger } from '#libs/logging/logger.js';
import { unfinishedName } from '../disk/atomic.js';
import { UsedFiles } from '../disk/used-files.js';
import { Download } from './download.js';

/** A file wanted, by what its bytes must be. */
export interface WantedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly source: (from: number, signal: AbortSignal) => Promise<AssetBytes>;
}

/** An open file; to be closed by who got it. */
export interface OpenFile {
  /** Settles when all of it is known to be right. */
  readonly checked: Promise<void>;
  /** Its bytes from `first` to `last`, as far and as fast as they may be given. */
  bytes(first: number, last: number, signal: AbortSignal): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

export interface FileCacheOptions {
  readonly folder: string;
  readonly limitBytes: number;
  /** How long a file that was not right is not read again. */
  readonly corruptMs: number;
  readonly log: Logger;
  readonly now: () => number;
}

const CHUNK_BYTES = 128 * 1024;

interface UnderWay {
  readonly download: Download;
  readonly path: string;
}

/** Files on disk under their sha256, so that what is there is right; one download of each for any number who want it. */
export class FileCache {
  readonly #underWay = new Map<string, Promise<UnderWay>>();
  readonly #corrupt = new Map<string, { readonly error: unknown; readonly untilMs: number }>();
  readonly #stopping = new AbortController();

  private constructor(
    private readonly options: FileCacheOptions,
    private readonly files: UsedFiles,
  ) {}

  static async open(options: FileCacheOptions): Promise<FileCache> {
    return new FileCache(options, await UsedFiles.open(options.folder, options.limitBytes));
  }

  get bytes(): number {
    return this.files.bytes;
  }

  /** @throws PlatformError PROTOCOL with `reason: 'corrupt'`, UNAVAILABLE when there is no room, or what the source answered */
  async open(wanted: WantedFile): Promise<OpenFile> {
    const { sha256 } = wanted;
    const corrupt = this.#corrupt.get(sha256);
    if (corrupt && corrupt.untilMs > this.options.now()) throw corrupt.error;
    if (this.files.has(sha256)) {
      const handle = await open(this.files.path(sha256)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return undefined;
      });
      if (handle) {
        this.files.used(sha256);
        return openFile(handle);
      }
      await this.files.remove(sha256);
    }
    const starting = this.#underWay.get(sha256) ?? this.#start(wanted);
    this.#underWay.set(sha256, starting);
    const { download, path } = await starting;
    return openFile(await openWhenThere(path, download, this.files.path(sha256)), download);
  }

  /** Ends downloads that are under way. */
  stop(): void {
    this.#stopping.abort();
  }

  async #start(wanted: WantedFile): Promise<UnderWay> {
    const { sha256, sizeBytes, name } = wanted;
    const release = await this.files.reserve(sizeBytes);
    if (!release) {
      this.#underWay.delete(sha256);
      throw new PlatformError('UNAVAILABLE', `There is no room for ${name} (${sizeBytes} bytes) in files.cacheBytes now.`, {
        details: { reason: 'no-room', retryAfterMs: 30_000 },
      });
    }
    const path = unfinishedName(this.files.path(sha256));
    const download = new Download({ ...wanted, path, signal: this.#stopping.signal });
    void this.#finish(wanted, { download, path }).finally(release);
    return { download, path };
  }

  async #finish({ sha256, sizeBytes, name }: WantedFile, { download, path }: UnderWay): Promise<void> {
    const { log, now, corruptMs } = this.options;
    try {
      await download.done;
      await rename(path, this.files.path(sha256));
      this.files.add(sha256, sizeBytes);
    } catch (error) {
      if (isPlatformError(error, 'PROTOCOL')) this.#remember(sha256, { error, untilMs: now() + corruptMs });
      if (!this.#stopping.signal.aborted) log.warn({ err: error, name }, 'a file could not be fetched');
      // It may never have been made.
      await unlink(path).catch(() => undefined);
    } finally {
      this.#underWay.delete(sha256);
    }
  }

  #remember(sha256: string, corrupt: { readonly error: unknown; readonly untilMs: number }): void {
    for (const [key, { untilMs }] of this.#corrupt) if (untilMs <= this.options.now()) this.#corrupt.delete(key);
    this.#corrupt.set(sha256, corrupt);
  }
}

/** The download makes its file as its first act, and ends by giving it its final name. */
async function openWhenThere(path: string, download: Download, finalPath: string): Promise<FileHandle> {
  await download.created;
  try {
    return await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await download.done;
    return await open(finalPath);
  }
}

function openFile(handle: FileHandle, download?: Download): OpenFile {
  return {
    checked: download?.done ?? Promise.resolve(),
    close: () => handle.close(),
    async *bytes(first, last, signal) {
      for (let at = first; at <= last; ) {
        const readable = download ? await download.readableBeyond(at, signal) : last + 1;
        const wanted = Math.min(CHUNK_BYTES, readable - at, last + 1 - at);
        const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
        if (bytesRead === 0) throw new PlatformError('UNAVAILABLE', 'A file of the cache ends too early.');
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
  };
}
