import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';

/** Of the node, and counted there for all containers of all its pods: they are the same users of its kernel. */
const WANTED = { 'fs.inotify.max_user_instances': 1024, 'kernel.keys.maxkeys': 2000 } as const;

/** Raises what is lower than many containers need, and lowers nothing; what cannot be raised is said, and hinders nothing. */
export function raiseKernelLimits(log: Logger, settings = '/proc/sys'): void {
  for (const [name, wanted] of Object.entries(WANTED)) {
    const file = join(settings, ...name.split('.'));
    try {
      const found = Number(readFileSync(file, 'utf8'));
      if (found >= wanted) continue;
      writeFileSync(file, String(wanted));
      log.info({ name, found, wanted }, 'a setting of the node is raised');
    } catch (error) {
      const why = messageOf(error);
      log.warn({ name, wanted, why }, `containers may run short of ${name}: set it on the node, sysctl -w ${name}=${wanted}`);
    }
  }
}
