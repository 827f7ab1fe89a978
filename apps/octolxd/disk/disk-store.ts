import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { Logger } from '#libs/logging/logger.js';
import { writeAtomically } from './atomic.js';
import { UsedFiles } from './used-files.js';

export interface DiskStoreOptions<T> {
  readonly folder: string;
  readonly limitBytes: number;
  readonly schema: z.ZodType<T>;
  readonly log: Logger;
}

/**
 * Small values by key that outlive the process: written wholly or not at all, the least recently used out beyond the limit. What cannot be
 * read or written counts as not there; nothing depends on it but the number of calls to GitHub.
 */
export class DiskStore<T> {
  private constructor(
    private readonly files: UsedFiles,
    private readonly schema: z.ZodType<T>,
    private readonly log: Logger,
  ) {}

  static async open<T>({ folder, limitBytes, schema, log }: DiskStoreOptions<T>): Promise<DiskStore<T>> {
    return new DiskStore(await UsedFiles.open(folder, limitBytes), schema, log);
  }

  get bytes(): number {
    return this.files.bytes;
  }

  async get(key: string): Promise<T | undefined> {
    const name = nameOf(key);
    if (!this.files.has(name)) return undefined;
    try {
      const content = JSON.parse(await readFile(this.files.path(name), 'utf8')) as { key?: unknown; value?: unknown };
      if (content.key !== key) throw new Error('it holds another key');
      const value = this.schema.parse(content.value);
      this.files.used(name);
      return value;
    } catch (error) {
      this.log.warn({ err: error, key }, 'a file of the cache cannot be read and is removed');
      await this.delete(key);
      return undefined;
    }
  }

  async set(key: string, value: T): Promise<void> {
    const name = nameOf(key);
    const content = JSON.stringify({ key, value });
    try {
      await writeAtomically(this.files.path(name), content);
      this.files.add(name, Buffer.byteLength(content));
      await this.files.makeRoom(0);
    } catch (error) {
      this.log.warn({ err: error, key }, 'a file of the cache cannot be written');
    }
  }

  async delete(key: string): Promise<void> {
    await this.files.remove(nameOf(key)).catch((error: unknown) => {
      this.log.warn({ err: error, key }, 'a file of the cache cannot be removed');
    });
  }
}

function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
