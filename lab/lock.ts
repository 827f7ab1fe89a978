import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { identityOf, isAlive, type ProcessIdentity } from './process-table.js';
import type { Profile } from './profile.js';
import { waitFor } from './wait.js';

/** One command at a time may change a lab; the lock of a process that ended is taken over. */
export function withLock<T>(profile: Profile, work: () => Promise<T>): Promise<T> {
  return locked(profile, 'lab', work);
}

/** One suite at a time may use a lab, for it removes the lab at its end. */
export function withSuiteLock<T>(profile: Profile, work: () => Promise<T>): Promise<T> {
  return locked(profile, 'suite', work);
}

async function locked<T>(profile: Profile, what: 'lab' | 'suite', work: () => Promise<T>): Promise<T> {
  const file = `/run/webspaces-${what}-${profile.name}.lock`;
  await waitFor(`the end of another command on lab "${profile.name}" (lock ${file})`, () => tryLock(file), {
    timeoutMs: 300_000,
    intervalMs: 200,
  });
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file: string): boolean {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(identityOf(process.pid)));
  try {
    // A link appears whole or not at all, and only if the name is free.
    linkSync(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = readHolder(file);
    if (holder && !isAlive(holder)) rmSync(file, { force: true });
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function readHolder(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    // Released since; the next try takes it.
    return undefined;
  }
}
