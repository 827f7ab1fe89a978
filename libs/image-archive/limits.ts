import { PlatformError } from '#libs/errors/platform-error.js';

const MiB = 1024 * 1024;

/** What a metadata archive may cost. Those of distrobuilder are a few kilobytes. */
export interface ArchiveLimits {
  readonly compressedBytes: number;
  readonly unpackedBytes: number;
  readonly entries: number;
  readonly yamlBytes: number;
  /** Memory of xz; `xz -9` needs 65 MiB to unpack. */
  readonly memoryBytes: number;
  /** For the whole, the source included. */
  readonly timeoutMs: number;
}

export const DEFAULT_LIMITS: ArchiveLimits = {
  compressedBytes: 8 * MiB,
  unpackedBytes: 32 * MiB,
  entries: 4096,
  yamlBytes: MiB,
  memoryBytes: 96 * MiB,
  timeoutMs: 60_000,
};

export function refused(reason: string): PlatformError {
  return new PlatformError('INVALID_INPUT', `The metadata archive is refused: ${reason}.`, { details: { field: 'metadata' } });
}
