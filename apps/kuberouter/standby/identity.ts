import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type DnsmasqFiles, readIfThere, writeWhole } from '../dnsmasq/files.js';

/** Who the Lease names: `<pod>/<random>`, kept in the state folder, so that a process restarted in place goes on at once. */
export function identityOf(files: DnsmasqFiles, podName = hostname()): string {
  const kept = readIfThere(files.identity)?.trim();
  if (kept?.startsWith(`${podName}/`)) return kept;
  const identity = `${podName}/${randomUUID()}`;
  writeWhole(files.identity, `${identity}\n`);
  return identity;
}
