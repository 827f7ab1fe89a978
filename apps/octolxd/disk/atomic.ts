import { randomBytes } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';

/** What a write in progress is called; such a file found at a start was left by a process that died. */
export const UNFINISHED = '.part';

export function unfinishedName(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
}

/** Writes a file wholly or not at all, also when the machine stops in the middle. */
export async function writeAtomically(file: string, content: string | Buffer): Promise<void> {
  const unfinished = unfinishedName(file);
  try {
    const handle = await open(unfinished, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, file);
  } catch (error) {
    // It may not be there; the first error is the one that counts.
    await unlink(unfinished).catch(() => undefined);
    throw error;
  }
}
