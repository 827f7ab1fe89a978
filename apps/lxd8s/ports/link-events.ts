import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const BACK_OFF_MS = 1_000;

/**
 * Calls `changed` for whatever the kernel says about interfaces, until the signal; an event only says that a look is due. When `ip monitor`
 * ends it is started again: what happened meanwhile may have been missed, so that counts as a change, too.
 */
export async function followLinks(changed: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const child = spawn('ip', ['-o', 'monitor', 'link'], { stdio: ['ignore', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' });
      child.stdout.on('data', () => changed());
      child.once('spawn', () => changed());
      // Missing or aborted: `close` follows, or never comes.
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
    // Rejects only when it ends.
    await delay(BACK_OFF_MS, undefined, { signal }).catch(() => undefined);
  }
}
