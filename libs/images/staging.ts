import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UploadedFile } from '#libs/contracts/images.js';
import { PlatformError } from '#libs/errors/platform-error.js';

/** How long an upload that nobody uses stays. */
export const UPLOAD_LIVES_MS = 86_400_000;
const UPLOAD_ID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

export interface StagingOptions {
  readonly folder: string;
  /** Most that may be in it. */
  readonly limitBytes: number;
}

/**
 * The folder of files that are on their way into LXD, shared by API and worker: `uploads/<id>` with `<id>.json` beside it, and a folder below
 * `imports/` for each operation. Made when it is needed first.
 */
export class Staging {
  readonly #uploads: string;
  readonly #imports: string;

  constructor(readonly options: StagingOptions) {
    this.#uploads = join(options.folder, 'uploads');
    this.#imports = join(options.folder, 'imports');
  }

  /** Where an operation keeps its files; the same for every attempt. */
  async importFolder(name: string, operationId: string): Promise<string> {
    const folder = this.#folderOf(name, operationId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  async removeImport(name: string, operationId: string): Promise<void> {
    await rm(this.#folderOf(name, operationId), { recursive: true, force: true });
  }

  /** Removes folders of imports that `isOpen` does not know any more: a terminated one leaves its own behind. */
  async sweepImports(isOpen: (name: string, operationId: string) => Promise<boolean>): Promise<void> {
    for (const entry of await listed(this.#imports)) {
      const at = entry.indexOf('.');
      const [name, operationId] = [entry.slice(0, at), entry.slice(at + 1)];
      if (at > 0 && !(await isOpen(name, operationId))) await this.removeImport(name, operationId);
    }
  }

  /**
   * Keeps a file that is sent, with its digest. @throws INVALID_INPUT beyond `maxBytes`, when it is empty or cut off, OPERATION_FAILED when the folder
   * is full. Nothing is left then.
   */
  async receive(body: Readable, { maxBytes, signal }: { readonly maxBytes: number; readonly signal?: AbortSignal }): Promise<UploadedFile> {
    const room = this.options.limitBytes - (await this.usedBytes());
    const id = randomUUID();
    await mkdir(this.#uploads, { recursive: true, mode: 0o700 });
    const part = join(this.#uploads, `${id}.part`);
    const hash = createHash('sha256');
    let sizeBytes = 0;
    async function* counted(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
        if (sizeBytes > room) throw full(room);
        hash.update(chunk);
        yield chunk;
      }
    }
    // Opened first: a stream that is destroyed while it opens its file would make it after it was removed.
    const handle = await open(part, 'wx', 0o600);
    try {
      await pipeline(body, counted, handle.createWriteStream(), ...(signal ? [{ signal }] : []));
      if (sizeBytes === 0) throw new PlatformError('INVALID_INPUT', 'The file is empty.', { details: { field: 'body' } });
      const file: UploadedFile = { id, sha256: hash.digest('hex'), sizeBytes };
      await writeFile(join(this.#uploads, `${id}.json`), JSON.stringify(file), { mode: 0o600 });
      await rename(part, join(this.#uploads, id));
      return file;
    } catch (error) {
      await rm(part, { force: true });
      await rm(join(this.#uploads, `${id}.json`), { force: true });
      throw error;
    }
  }

  /** What is known of an upload; from now on it is in use for another day. undefined when there is none. */
  async useUpload(id: string): Promise<UploadedFile | undefined> {
    if (!UPLOAD_ID.test(id)) return undefined;
    try {
      const now = new Date();
      await utimes(join(this.#uploads, id), now, now);
      return JSON.parse(await readFile(join(this.#uploads, `${id}.json`), 'utf8')) as UploadedFile;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Gives an upload a second name in an operation's folder. NOT_FOUND when it is gone; nothing when the name is there. */
  async linkUpload(id: string, file: string): Promise<void> {
    try {
      await link(join(this.#uploads, id), file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
      if (isMissing(error)) throw new PlatformError('NOT_FOUND', `There is no upload ${id} any more. Send the file again.`);
      throw error;
    }
  }

  async removeUpload(id: string): Promise<void> {
    await Promise.all([id, `${id}.json`].map((name) => rm(join(this.#uploads, name), { force: true })));
  }

  /** Removes what was uploaded and not used for a day, also when it never came to its end. */
  async sweepUploads(now = Date.now()): Promise<number> {
    let removed = 0;
    for (const name of await listed(this.#uploads)) {
      const file = join(this.#uploads, name);
      const found = await stat(file).catch(() => undefined);
      const data = name.endsWith('.json') ? await stat(file.slice(0, -'.json'.length)).catch(() => undefined) : found;
      if (!found || now - Math.max(found.mtimeMs, data?.mtimeMs ?? 0) < UPLOAD_LIVES_MS) continue;
      await rm(file, { force: true });
      removed++;
    }
    return removed;
  }

  /** Bytes in the folder; a file with two names counts once. `but` is the folder of an operation that does not count. */
  async usedBytes(but?: { readonly name: string; readonly operationId: string }): Promise<number> {
    const folders = (await listed(this.#imports)).map((name) => join(this.#imports, name));
    const own = but && this.#folderOf(but.name, but.operationId);
    const seen = new Map<number, number>();
    for (const folder of [this.#uploads, ...folders.filter((each) => each !== own)]) {
      for (const name of await listed(folder)) {
        const found = await stat(join(folder, name)).catch(() => undefined);
        if (found) seen.set(found.ino, found.size);
      }
    }
    return [...seen.values()].reduce((sum, size) => sum + size, 0);
  }

  #folderOf(name: string, operationId: string): string {
    return join(this.#imports, `${name}.${operationId}`);
  }
}

async function listed(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function tooLarge(maxBytes: number): PlatformError {
  return new PlatformError('INVALID_INPUT', `The file is larger than ${maxBytes} bytes (images.uploadBytes).`, {
    details: { field: 'body', reason: 'too-large' },
  });
}

function full(room: number): PlatformError {
  return new PlatformError(
    'OPERATION_FAILED',
    `The staging folder has room for ${Math.max(0, room)} more bytes only (images.stagingBytes).`,
    {
      details: { reason: 'no-space' },
    },
  );
}
