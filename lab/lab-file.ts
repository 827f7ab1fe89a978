import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './arguments.js';
import type { Profile } from './profile.js';

/** How a lab was started: what `status` and the next `start` must know. */
export interface LabFile {
  readonly mode: 'own' | 'existing';
  readonly apps: 'all' | 'none';
  readonly temporalInMemory: boolean;
  readonly internet: boolean;
  /** Real nodes it has; none when absent. */
  readonly nodes?: number;
  /** Whose ports and addresses it has. */
  readonly index?: number;
  /** With `existing`: the three targets, as they were printed. */
  readonly targets?: Readonly<Record<string, string>>;
}

export function readLabFile(profile: Profile): LabFile | undefined {
  const file = join(profile.paths.state, 'lab.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LabFile) : undefined;
}

/** Folders and namespaces are named by the name alone: the same name with another index would take a running lab apart. */
export function refuseOtherIndex(profile: Profile): void {
  const index = readLabFile(profile)?.index;
  if (index === undefined || index === profile.index) return;
  throw new UsageError(
    `a lab ${profile.name}:${index} is there already: take another name, such as ${profile.name}${profile.index}:${profile.index}`,
  );
}

export function writeLabFile(profile: Profile, content: LabFile): void {
  mkdirSync(profile.paths.state, { recursive: true, mode: 0o711 });
  writeFileSync(join(profile.paths.state, 'lab.json'), `${JSON.stringify({ ...content, index: profile.index }, null, 2)}\n`);
}
