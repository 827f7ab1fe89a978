import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { AssetBytes } from '#libs/github/types.js';

export interface DownloadOptions {
  /** Where it is written; the caller removes it when the download fails. */
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
  /** What its bytes must be. */
  readonly sha256: string;
  /** Opens the source at a position. */
  readonly source: (from: number, signal: AbortSignal) => Promise<AssetBytes>;
  readonly signal: AbortSignal;
}

/** So much of a file's end is not given before all of it was checked. */
export const HELD_BACK_BYTES = 64 * 1024;
const TRIES_WITHOUT_PROGRESS = 4;
const FIRST_PAUSE_MS = 100;

/**
 * One download to disk that any number may read from while it runs. Nobody gets the end of a file whose bytes are not what they must be. A source
 * that is cut is read on from where it ended.
 */
export class Download {
  /** Settles when its file can be opened. */
  readonly created: Promise<void>;
  /** Settles when all is there and checked, or cannot be. */
  readonly done: Promise<void>;
  #written = 0;
  #state: 'running' | 'checked' | 'failed' = 'running';
  #error: unknown;
  #waiting: (() => void)[] = [];

  constructor(private readonly options: DownloadOptions) {
    const opening = open(options.path, 'wx', 0o600);
    this.created = opening.then(() => undefined);
    this.done = opening
      .then((handle) => this.#run(handle))
      .then(
        () => this.#settle('checked'),
        (error: unknown) => {
          this.#error = error;
          this.#settle('failed');
          throw error;
        },
      );
    // Those who wait hear of it; with nobody there it is not a crash.
    for (const told of [this.created, this.done]) told.catch(() => undefined);
  }

  /** Position up to which may be read now, beyond `position`; waits for it. @throws what the download failed with */
  async readableBeyond(position: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      const { sizeBytes } = this.options;
      if (this.#state === 'failed') throw this.#error;
      if (this.#state === 'checked') return sizeBytes;
      const readable = Math.min(this.#written, sizeBytes - HELD_BACK_BYTES);
      if (readable > position) return readable;
      await this.#moved(signal);
    }
  }

  #moved(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => reject(signal.reason);
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener('abort', aborted);
        resolve();
      });
    });
  }

  #settle(state: 'checked' | 'failed'): void {
    this.#state = state;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async #run(handle: FileHandle): Promise<void> {
    const { sizeBytes, sha256, name } = this.options;
    const hash = createHash('sha256');
    try {
      await this.#fill(handle, (chunk) => hash.update(chunk));
      if (this.#written !== sizeBytes || hash.digest('hex') !== sha256) throw corrupt(name);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  async #fill(handle: FileHandle, onBytes: (chunk: Buffer) => void): Promise<void> {
    const { sizeBytes, signal, name } = this.options;
    for (let tries = 0; this.#written < sizeBytes; ) {
      const before = this.#written;
      try {
        await this.#readOn(handle, onBytes);
        if (this.#written < sizeBytes)
          throw new PlatformError('UNAVAILABLE', `${name} was cut after ${this.#written} of ${sizeBytes} bytes.`);
      } catch (error) {
        if (signal.aborted || (isPlatformError(error) && error.code !== 'UNAVAILABLE')) throw error;
        tries = this.#written > before ? 0 : tries + 1;
        if (tries >= TRIES_WITHOUT_PROGRESS) throw error;
        await delay(FIRST_PAUSE_MS * 2 ** tries, undefined, { signal });
      }
    }
  }

  async #readOn(handle: FileHandle, onBytes: (chunk: Buffer) => void): Promise<void> {
    const { source, signal, sizeBytes, name } = this.options;
    const { body, startsAt, totalBytes } = await source(this.#written, signal);
    if (totalBytes !== sizeBytes) throw corrupt(name);
    // A source that knows no ranges begins again.
    let skip = this.#written - startsAt;
    if (skip < 0) throw corrupt(name);
    for await (const piece of body) {
      const chunk = skip > 0 ? piece.subarray(Math.min(skip, piece.length)) : piece;
      skip -= piece.length - chunk.length;
      if (chunk.length === 0) continue;
      if (this.#written + chunk.length > sizeBytes) throw corrupt(name);
      await handle.write(chunk, 0, chunk.length, this.#written);
      onBytes(chunk);
      this.#written += chunk.length;
      this.#wake();
    }
  }
}

function corrupt(name: string): PlatformError {
  return new PlatformError('PROTOCOL', `${name} at GitHub is not what its checksum says. It is given to nobody.`, {
    details: { reason: 'corrupt' },
  });
}
