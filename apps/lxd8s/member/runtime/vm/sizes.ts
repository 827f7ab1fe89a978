import { statfs } from 'node:fs/promises';
import { PlatformError } from '#libs/errors/platform-error.js';

const UNITS = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

export interface Whole {
  /** What it is a share of, for people. */
  readonly of: string;
  /** Undefined: there is none, and no share of it. */
  readonly bytes: number | undefined;
}

/** Bytes of `512MiB`, or of a share of the whole, as `80%`, in whole MiB. @throws PlatformError INVALID_INPUT for a share of what there is not. */
export function bytesOf(text: string, whole: Whole): number {
  const [, number = '', unit = ''] = /^(\d+)(%|MiB|GiB|TiB)$/.exec(text) ?? [];
  if (unit === '%') {
    if (whole.bytes === undefined)
      throw new PlatformError('INVALID_INPUT', `${text} is a share of ${whole.of}, and there is none. State a size.`);
    return Math.floor((whole.bytes * Number(number)) / 100 / UNITS.MiB) * UNITS.MiB;
  }
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}

/** As many as stated, or a share of the limit, rounded up. @throws PlatformError INVALID_INPUT for a share of what there is not. */
export function cpusOf(stated: number | string, limit: number | undefined): number {
  if (typeof stated === 'number' || !stated.endsWith('%')) return Number(stated);
  if (limit === undefined)
    throw new PlatformError('INVALID_INPUT', `${stated} is a share of the pod's limit of processors, and there is none. State a number.`);
  // Without what binary fractions add.
  return Math.max(1, Math.ceil(Number(((limit * Number.parseInt(stated, 10)) / 100).toFixed(3))));
}

/** Room of the file system that a folder is in, used or not. */
export async function roomOf(folder: string): Promise<Whole> {
  const { blocks, bsize } = await statfs(folder);
  return { of: `the volume at ${folder}`, bytes: blocks * bsize };
}
