import { readFileSync, writeFileSync } from 'node:fs';
import { PlatformError } from '#libs/errors/platform-error.js';

const SWITCHES = { 4: '/proc/sys/net/ipv4/ip_forward', 6: '/proc/sys/net/ipv6/conf/all/forwarding' } as const;

/** @throws PlatformError DENIED_UPSTREAM when this network namespace does not forward and may not be told to (a pod's /proc/sys is read-only). */
export function ensureForwarding(families: readonly (4 | 6)[]): void {
  for (const family of families) {
    const file = SWITCHES[family];
    if (readFileSync(file, 'utf8').trim() !== '0') continue;
    try {
      writeFileSync(file, '1');
    } catch (cause) {
      throw new PlatformError(
        'DENIED_UPSTREAM',
        `This network namespace forwards no IPv${family}: let an init container write 1 into ${file}, or set it as a sysctl of the pod.`,
        { cause },
      );
    }
  }
}
