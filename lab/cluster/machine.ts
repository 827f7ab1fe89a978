import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Profile, STATE_ROOT } from '../profile.js';

const WATCHES = '/proc/sys/fs/inotify/max_user_instances';
/** Each node takes about fifteen; the usual limit of 128 for all of root's processes is that of two labs. */
const ENOUGH = 1_024;
const BEFORE = '/run/webspaces-lab-inotify';

/** The one setting of the whole machine that nodes need. */
export function allowWatches(): void {
  const now = readFileSync(WATCHES, 'utf8').trim();
  if (Number(now) >= ENOUGH) return;
  if (!existsSync(BEFORE)) writeFileSync(BEFORE, now);
  writeFileSync(WATCHES, String(ENOUGH));
}

/** Puts it back when no other lab has nodes; returns what was done. */
export function restoreWatches({ paths }: Profile): string[] {
  if (!existsSync(BEFORE)) return [];
  const others = existsSync(STATE_ROOT) ? readdirSync(STATE_ROOT).filter((name) => name !== basename(paths.state)) : [];
  if (others.some((name) => existsSync(join(STATE_ROOT, name, 'cluster')))) return [];
  writeFileSync(WATCHES, readFileSync(BEFORE, 'utf8'));
  rmSync(BEFORE);
  return ['setting fs.inotify.max_user_instances'];
}
