import { readFile } from 'node:fs/promises';

/** A line of `/proc/<pid>/mountinfo` (proc(5)). */
export interface Mount {
  /** Which part of its file system is mounted. */
  readonly root: string;
  readonly at: string;
  readonly type: string;
}

export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const [root, at] = [fields[3], fields[4]];
    const type = fields[fields.indexOf('-') + 1];
    return root === undefined || at === undefined || type === undefined ? [] : [{ root: plain(root), at: plain(at), type }];
  });
}

/** What is mounted where this process is. */
export async function mountsHere(): Promise<Mount[]> {
  return parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Space, tab, newline and backslash are written in octal. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
