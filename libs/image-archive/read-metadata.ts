import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { FirstFailure } from './first-failure.js';
import { type ArchiveLimits, DEFAULT_LIMITS, refused } from './limits.js';
import { readEntries } from './tar-entries.js';
import { startXz, type Xz } from './xz.js';

export interface ReadMetadataOptions {
  readonly signal?: AbortSignal;
  readonly limits?: Partial<ArchiveLimits>;
}

export interface ArchiveMetadata {
  /** The text of `metadata.yaml`. */
  readonly yaml: string;
  /** Of the archive's bytes, as they came. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A stream or anything else that gives bytes; one that can be destroyed is, when reading ends early. */
export type ByteSource = AsyncIterable<Uint8Array> & { destroy?: (() => unknown) | undefined };

interface Run {
  readonly xz: Xz;
  readonly limits: ArchiveLimits;
  readonly failure: FirstFailure;
}

/**
 * Reads a metadata archive (`lxd.tar.xz`) once, to its end, and writes nothing anywhere. Throws INVALID_INPUT when it is no such archive or goes beyond a
 * limit, UNAVAILABLE when it does not end in time or xz is not installed, what the source throws, and the signal's reason.
 */
export async function readMetadata(source: ByteSource, options: ReadMetadataOptions = {}): Promise<ArchiveMetadata> {
  options.signal?.throwIfAborted();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const failure = new FirstFailure();
  const late = setTimeout(
    () => failure.is(new PlatformError('UNAVAILABLE', `The metadata archive was not read within ${limits.timeoutMs} ms.`)),
    limits.timeoutMs,
  );
  const cancelled = (): void => failure.is(options.signal?.reason);
  options.signal?.addEventListener('abort', cancelled);
  const run: Run = { xz: startXz(limits.memoryBytes), limits, failure };
  try {
    const all = Promise.all([feed(source, run), unpack(run), ended(run)]);
    const [{ sha256, sizeBytes }, yaml] = await Promise.race([all, failure.rejection]);
    if (yaml === undefined) throw refused('it holds no metadata.yaml');
    return { yaml, sha256, sizeBytes };
  } catch (error) {
    source.destroy?.();
    throw error;
  } finally {
    clearTimeout(late);
    options.signal?.removeEventListener('abort', cancelled);
    run.xz.kill();
  }
}

async function feed(source: ByteSource, { xz, limits, failure }: Run): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* measured(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        sizeBytes += chunk.length;
        if (sizeBytes > limits.compressedBytes) throw refused(`it is larger than ${limits.compressedBytes} bytes`);
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      failure.is(error);
      throw error;
    }
  }
  // A pipe that breaks is xz having ended: its own words are the reason.
  await pipeline(measured(), xz.stdin).catch(() => failure.rejection);
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function unpack({ xz, limits, failure }: Run): Promise<string | undefined> {
  const extract = tar.extract();
  async function* bounded(unpacked: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const chunk of unpacked) {
      bytes += chunk.length;
      if (bytes > limits.unpackedBytes) {
        failure.is(refused(`it unpacks to more than ${limits.unpackedBytes} bytes`));
        return;
      }
      yield chunk;
    }
  }
  // The same error arrives at the reader of the entries.
  pipeline(xz.stdout, bounded, extract).catch(() => undefined);
  try {
    return await readEntries(extract, limits);
  } catch (error) {
    // A tar that is cut off is xz having stopped: its own words come first.
    const atEnd = xz.stdout.readableEnded ? await xz.ended : undefined;
    throw atEnd ?? (isPlatformError(error) ? error : refused(`it is not a tar (${messageOf(error)})`));
  }
}

async function ended({ xz }: Run): Promise<void> {
  const problem = await xz.ended;
  if (problem !== undefined) throw problem;
}
