import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from './profile.js';

/** How a lab was started: what `status` and the next `start` must know. */
export interface LabFile {
  readonly mode: 'own' | 'existing';
  readonly apps: 'all' | 'none';
  readonly temporalInMemory: boolean;
  readonly internet: boolean;
  /** With `existing`: the three targets, as they were printed. */
  readonly targets?: Readonly<Record<string, string>>;
}

export function readLabFile(profile: Profile): LabFile | undefined {
  const file = join(profile.paths.state, 'lab.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LabFile) : undefined;
}

export function writeLabFile(profile: Profile, content: LabFile): void {
  mkdirSync(profile.paths.state, { recursive: true, mode: 0o711 });
  writeFileSync(join(profile.paths.state, 'lab.json'), `${JSON.stringify(content, null, 2)}\n`);
}
