import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one folder, which the process and dnsmasq share. */
export interface DnsmasqFiles {
  readonly folder: string;
  readonly config: string;
  readonly candidate: string;
  readonly reservations: string;
  readonly names: string;
  readonly leases: string;
  readonly pid: string;
  readonly identity: string;
}

/** Makes the folder. dnsmasq gives up root's rights and reads reservations and names again later: others may read them. */
export function dnsmasqFiles(folder: string): DnsmasqFiles {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const at = (name: string) => join(folder, name);
  return {
    folder,
    config: at('dnsmasq.conf'),
    candidate: at('dnsmasq.conf.new'),
    reservations: at('reservations'),
    names: at('names'),
    leases: at('leases'),
    pid: at('dnsmasq.pid'),
    identity: at('identity'),
  };
}

/** Content of a file, or undefined when there is none. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a file whole or not at all; whoever reads it meets the old or the new content. */
export function writeWhole(file: string, content: string): void {
  writeFileSync(`${file}.tmp`, content, { mode: 0o644 });
  renameSync(`${file}.tmp`, file);
}
