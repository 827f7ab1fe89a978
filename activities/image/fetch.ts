import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Acting } from '#libs/contracts/activities.js';
import type { FetchedFile, FetchedImage, ImportPlan, PlannedFile } from '#libs/contracts/images.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';
import { Progress } from './progress.js';

/** A download on which nothing moves for so long is cut and asked for again. */
const STALL_MS = 60_000;

interface Opened {
  readonly body: AsyncIterable<Buffer> & Pick<NodeJS.ReadableStream, 'on'> & { destroy?(): unknown };
  readonly startsAt: number;
  readonly totalBytes: number | undefined;
}

/** Bytes into the staging folder, with their digests on the way; what is there already is read again instead of downloaded again. */
export function fetchSteps({ staging, github, servers }: ImageDeps) {
  async function opened({ location, sizeBytes, sha256 }: PlannedFile, from: number, signal: AbortSignal): Promise<Opened> {
    switch (location.at) {
      case 'github': {
        const { owner, repository: name, assetId: id, assetName, downloadUrl, updatedAt } = location;
        const asset = { id, name: assetName, sizeBytes, downloadUrl, updatedAt, uploaded: true, ...(sha256 ? { sha256 } : {}) };
        return github.openAsset({ owner, name }, asset, { from, signal });
      }
      case 'url':
        return servers.open(location.url, { from, certificate: location.certificate, signal });
      case 'upload':
        throw new PlatformError('PROTOCOL', 'An upload is in the staging folder and is not downloaded.');
    }
  }

  /** Adds the missing end of the file. Written by position: two attempts that overlap write the same bytes to the same places. */
  async function download(call: Call, file: PlannedFile, path: string, have: Have, progress: Progress): Promise<void> {
    const stall = new AbortController();
    const signal = AbortSignal.any([call.signal, stall.signal]);
    const timer = setTimeout(() => stall.abort(), STALL_MS);
    let body: Opened['body'] | undefined;
    const handle = await open(path, have.bytes > 0 ? 'r+' : 'w', 0o600);
    try {
      const source = await opened(file, have.bytes, signal);
      body = source.body;
      // The read below tells of it; nothing else may.
      body.on('error', () => undefined);
      if (source.totalBytes !== undefined && source.totalBytes !== file.sizeBytes) throw changed(file, source.totalBytes);
      if (source.startsAt !== have.bytes) {
        if (source.startsAt !== 0)
          throw new PlatformError('PROTOCOL', `${file.name} was sent from byte ${source.startsAt}, not ${have.bytes}.`);
        have.startAgain();
      }
      for await (const chunk of source.body) {
        call.signal.throwIfAborted();
        timer.refresh();
        if (have.bytes + chunk.length > file.sizeBytes) throw changed(file, have.bytes + chunk.length);
        await handle.write(chunk, 0, chunk.length, have.bytes);
        have.add(chunk);
        progress.received(chunk.length);
      }
      if (have.bytes < file.sizeBytes) throw cut(file, have.bytes);
    } catch (error) {
      if (call.signal.aborted || (isPlatformError(error) && error.code !== 'UNAVAILABLE')) throw error;
      throw cut(file, have.bytes, error);
    } finally {
      clearTimeout(timer);
      body?.destroy?.();
      await handle.close();
    }
  }

  async function fetchFile(
    call: Call,
    file: PlannedFile,
    folder: string,
    combined: Hash,
    progress: Progress,
  ): Promise<[FetchedFile, Hash]> {
    const path = join(folder, file.role);
    if (file.location.at === 'upload') await staging.linkUpload(file.location.id, path);
    const have = new Have(combined);
    const kept = Math.min(await sizeOf(path), file.sizeBytes);
    if (kept > 0) for await (const chunk of createReadStream(path, { end: kept - 1, signal: call.signal })) have.add(chunk as Buffer);
    progress.found(kept);
    const complete = kept === file.sizeBytes;
    if (!complete) await download(call, file, path, have, progress);
    const sha256 = have.own.digest('hex');
    if (kept > 0 && file.location.at !== 'upload' && file.sha256 !== undefined && file.sha256 !== sha256) {
      // What was kept may be what is wrong: once more from the beginning tells.
      await rm(path, { force: true });
      throw new PlatformError('UNAVAILABLE', `${file.name} came out wrong after it was resumed; it is downloaded from the beginning.`);
    }
    return [{ role: file.role, sha256, sizeBytes: have.bytes }, have.combined];
  }

  return {
    async fetchImage(call: Call, acting: Acting, plan: ImportPlan): Promise<FetchedImage> {
      const folder = await staging.importFolder(acting.name, acting.operationId);
      const progress = new Progress(call, plan);
      const files: FetchedFile[] = [];
      let combined = createHash('sha256');
      for (const file of plan.files) {
        progress.begin(file.name);
        const [fetched, next] = await fetchFile(call, file, folder, combined, progress);
        files.push(fetched);
        combined = next;
      }
      call.waiting(undefined);
      return { files, fingerprint: combined.digest('hex'), transferredBytes: progress.bytes };
    },
  };
}

/** The bytes of a file so far: its own digest, and that of all files one after the other. */
class Have {
  bytes = 0;
  own = createHash('sha256');
  combined: Hash;
  readonly #before: Hash;

  constructor(before: Hash) {
    this.#before = before;
    this.combined = before.copy();
  }

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.own.update(chunk);
    this.combined.update(chunk);
  }

  startAgain(): void {
    this.bytes = 0;
    this.own = createHash('sha256');
    this.combined = this.#before.copy();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function changed({ name, sizeBytes }: PlannedFile, bytes: number): PlatformError {
  return new PlatformError(
    'PROTOCOL',
    `${name} has ${bytes} bytes and not the ${sizeBytes} that were announced: it was replaced meanwhile.`,
  );
}

function cut({ name, sizeBytes }: PlannedFile, bytes: number, cause?: unknown): PlatformError {
  const why = cause === undefined ? 'the connection ended' : messageOf(cause);
  const details = isPlatformError(cause) ? cause.details : {};
  return new PlatformError(
    'UNAVAILABLE',
    `The download of ${name} was cut at ${bytes} of ${sizeBytes} bytes: ${why}. It goes on from there.`,
    {
      details,
      cause,
    },
  );
}
