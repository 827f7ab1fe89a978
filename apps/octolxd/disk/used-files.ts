import { mkdir, readdir, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { UNFINISHED } from './atomic.js';

/** The files of a folder of ours by their use: how many bytes they are, and which ones go when they are too many. */
export class UsedFiles {
  /** The least recently used first. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;
  /** Bytes that somebody is about to write. */
  #reserved = 0;

  private constructor(
    readonly folder: string,
    readonly limitBytes: number,
  ) {}

  /** Takes over what is there; what was not finished is removed. */
  static async open(folder: string, limitBytes: number): Promise<UsedFiles> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const files = new UsedFiles(folder, limitBytes);
    const found: { name: string; size: number; usedAt: number }[] = [];
    for (const name of await readdir(folder)) {
      const { size, mtimeMs } = await stat(join(folder, name));
      if (name.endsWith(UNFINISHED)) await unlink(join(folder, name));
      else found.push({ name, size, usedAt: mtimeMs });
    }
    for (const { name, size } of found.sort((a, b) => a.usedAt - b.usedAt)) files.#count(name, size);
    await files.makeRoom(0);
    return files;
  }

  get bytes(): number {
    return this.#bytes;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  has(name: string): boolean {
    return this.#sizes.has(name);
  }

  /** It was used now: it goes later than the others, also after a restart. */
  used(name: string): void {
    const size = this.#sizes.get(name);
    if (size === undefined) return;
    this.#sizes.delete(name);
    this.#sizes.set(name, size);
    const now = new Date();
    // Only the order after a restart depends on it.
    utimes(this.path(name), now, now).catch(() => undefined);
  }

  /** It has been written. */
  add(name: string, size: number): void {
    this.#forget(name);
    this.#count(name, size);
  }

  async remove(name: string): Promise<void> {
    this.#forget(name);
    await unlink(this.path(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  /** Keeps room for a file that is being written; give it back by the function it returns. Undefined when there is none. */
  async reserve(size: number): Promise<(() => void) | undefined> {
    if (this.#reserved + size > this.limitBytes) return undefined;
    this.#reserved += size;
    await this.makeRoom(0);
    return () => {
      this.#reserved -= size;
    };
  }

  /** Removes the least recently used until there is room for so many bytes more. */
  async makeRoom(size: number): Promise<void> {
    for (const name of this.#sizes.keys()) {
      if (this.#bytes + this.#reserved + size <= this.limitBytes) return;
      await this.remove(name);
    }
  }

  #count(name: string, size: number): void {
    this.#sizes.set(name, size);
    this.#bytes += size;
  }

  #forget(name: string): void {
    this.#bytes -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
  }
}
