import { open, rename, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** LXD's disk in its volume. Under this name it has a file system that a machine has mounted, and is never formatted. */
export const DISK = 'disk.img';
const STORAGE_DISK = 'storage.img';

export interface LxdDisk {
  readonly file: string;
  /** `new`: it was made this moment, and is to be formatted. */
  readonly state: 'new' | 'used';
}

/**
 * LXD's disk, made when there is none, made larger when it is smaller than that. A new one has another name until it is {@link keepDisk kept}; one that was
 * left so was never used, and is made anew.
 */
export async function ensureDisk(folder: string, bytes: number): Promise<LxdDisk> {
  const file = join(folder, DISK);
  if (await grown(file, bytes)) return { file, state: 'used' };
  const fresh = `${file}.new`;
  await rm(fresh, { force: true });
  await make(fresh, bytes);
  return { file: fresh, state: 'new' };
}

/** Notes that the disk is in use, on the volume itself. */
export async function keepDisk({ file, state }: LxdDisk): Promise<void> {
  if (state === 'used') return;
  const folder = dirname(file);
  await rename(file, join(folder, DISK));
  await sync(folder);
}

/** The disk for a storage pool, which only LXD formats, when it makes the pool. */
export async function ensureStorageDisk(folder: string, bytes: number): Promise<string> {
  const file = join(folder, STORAGE_DISK);
  if (!(await grown(file, bytes))) await make(file, bytes);
  return file;
}

/** Whether there is one. */
async function grown(file: string, bytes: number): Promise<boolean> {
  try {
    if ((await stat(file)).size < bytes) await truncate(file, bytes);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function make(file: string, bytes: number): Promise<void> {
  const made = await open(file, 'wx', 0o600);
  try {
    await made.truncate(bytes);
    await made.sync();
  } finally {
    await made.close();
  }
}

async function sync(folder: string): Promise<void> {
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
