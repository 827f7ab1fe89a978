import { access, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#libs/errors/platform-error.js';
import { MARKER, type Marker, newMarker, readMarker, writeMarker } from './marker.js';
import { type Mount, mountsHere } from './mounts.js';

/** `why` is for people: what is wrong with the volume, and that it was left as it is. */
export type Verdict =
  | { readonly usable: true; readonly use: 'first' | 'again'; readonly marker: Marker }
  | { readonly usable: false; readonly why: string };

export interface VolumeQuestion {
  readonly folder: string;
  readonly statefulSet: string;
  readonly member: string;
  readonly mounts: 'required' | 'any';
  /** Files that are there when an LXD of a cluster has used the volume. */
  readonly expects: readonly string[];
  /** Whether an empty one may be used; `refused` where this member had one already. */
  readonly first: 'allowed' | 'refused';
  readonly timeoutMs: number;
}

const PROBE = '.webspaces-volume.probe';

/**
 * Whether the member may use what is mounted there. Writes to a volume only when it is empty, or bears our mark and this member's name; what it
 * refuses it has not changed. An empty one gets the mark, on the disk before this returns. Throws nothing.
 */
export async function checkVolume(question: VolumeQuestion): Promise<Verdict> {
  const late = `it has not answered within ${question.timeoutMs / 1000} s`;
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(late)), question.timeoutMs);
  });
  try {
    return await Promise.race([look(question), deadline]);
  } catch (error) {
    return refused(question, messageOf(error));
  } finally {
    clearTimeout(timer);
  }
}

async function look(question: VolumeQuestion): Promise<Verdict> {
  const { folder, statefulSet, member, mounts, expects } = question;
  if (mounts === 'required' && !isMounted(folder, await mountsHere())) return refused(question, 'nothing is mounted there');
  const marker = await readMarker(folder);
  if (marker === undefined) return firstUse(question);
  if (marker.member !== member || marker.statefulSet !== statefulSet) {
    return refused(question, `it is that of ${marker.member} of ${marker.statefulSet}`);
  }
  const missing = marker.cluster === undefined ? [] : await missingOf(folder, expects);
  if (missing.length > 0) {
    return refused(question, `it was used by a member of the cluster ${marker.cluster}, and ${missing.join(', ')} of it is gone`);
  }
  await tryWriting(folder);
  return { usable: true, use: 'again', marker };
}

async function firstUse(question: VolumeQuestion): Promise<Verdict> {
  const { folder, statefulSet, member } = question;
  const found = await entriesOf(folder);
  if (found.length > 0) {
    return refused(question, `it is not empty (${found.slice(0, 5).join(', ')}${found.length > 5 ? ', …' : ''}) and bears no ${MARKER}`);
  }
  if (question.first === 'refused') return refused(question, 'it is empty, and this member had another one');
  const marker = newMarker({ statefulSet, member });
  await tryWriting(folder);
  await writeMarker(folder, marker);
  return { usable: true, use: 'first', marker };
}

/** A fresh file system may have `lost+found`; with something in it there was more. What a cut off first use left counts for nothing. */
async function entriesOf(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name !== `${MARKER}.new` && name !== PROBE);
  if (!names.includes('lost+found')) return names;
  return (await readdir(join(folder, 'lost+found'))).length === 0 ? names.filter((name) => name !== 'lost+found') : names;
}

async function tryWriting(folder: string): Promise<void> {
  const path = join(folder, PROBE);
  const text = new Date().toISOString();
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  if ((await readFile(path, 'utf8')) !== text) throw new Error('what was written to it is not what is read');
  await rm(path);
}

async function missingOf(folder: string, names: readonly string[]): Promise<string[]> {
  const there = await Promise.all(names.map((name) => access(join(folder, name)).then(() => true, isAbsent)));
  return names.filter((_name, at) => there[at] === false);
}

function isAbsent(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
  throw error;
}

function isMounted(folder: string, mounts: readonly Mount[]): boolean {
  return mounts.some(({ at }) => at === folder.replace(/(?<=.)\/+$/, ''));
}

function refused({ folder }: VolumeQuestion, why: string): Verdict {
  return { usable: false, why: `The volume at ${folder} is left as it is: ${why}.` };
}
