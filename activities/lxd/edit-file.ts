import { dirname, join } from 'node:path/posix';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { LxdFile } from '#libs/lxd/client-parts.js';

/** A file that is written to its end has this last; one that was cut off has not. */
const END = Buffer.from('\n# This copy is whole.\n');

/** The file, or undefined when there is none. */
export async function findFile(lxd: LxdClient, instance: string, path: string, signal: AbortSignal): Promise<LxdFile | undefined> {
  try {
    return await lxd.files.get(instance, path, { signal });
  } catch (error) {
    if (isPlatformError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/**
 * Changes the content of one small file, keeping owner and mode; nothing is written when the change makes no difference. LXD overwrites in place and
 * cannot rename: what was there is copied beside it first, and a retry begins from that copy, so that a crash in the midst loses nothing.
 */
export async function editFile(
  lxd: LxdClient,
  { instance, path, found, retry }: { readonly instance: string; readonly path: string; readonly found: LxdFile; readonly retry: boolean },
  change: (content: Buffer) => Buffer,
  signal: AbortSignal,
): Promise<void> {
  const copyPath = join(dirname(path), `.webspaces-${path.slice(path.lastIndexOf('/') + 1)}`);
  const copy = retry ? await findFile(lxd, instance, copyPath, signal) : undefined;
  const whole = copy?.content.subarray(-END.length).equals(END) ? copy.content.subarray(0, -END.length) : undefined;
  const before = whole ?? found.content;
  const after = change(before);
  if (!after.equals(found.content)) {
    if (!whole) await lxd.files.put(instance, copyPath, { content: Buffer.concat([before, END]), uid: 0, gid: 0, mode: 0o600 }, { signal });
    const { uid, gid, mode } = found;
    await lxd.files.put(instance, path, { content: after, uid, gid, mode }, { signal });
  } else if (!copy) return;
  await lxd.files.delete(instance, copyPath, { signal });
}
