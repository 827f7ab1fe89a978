import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

const AGAIN_MS = 2_000;

export interface MonitorParts {
  /** Names of the interfaces that matter. */
  readonly names: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onChange: () => void;
}

/** Says when the kernel tells of a change of one of the interfaces, its removal above all. Whatever it misses, the next resync finds. */
export async function monitor({ names, log, signal, onChange }: MonitorParts): Promise<void> {
  while (!signal.aborted) {
    const child = spawn('ip', ['monitor', 'link'], { stdio: ['ignore', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' });
    const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
    const ended = new Promise<string>((resolve) => child.once('close', (code) => resolve(`exit ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (names.includes(interfaceOf(line))) onChange();
    });
    const why = await Promise.race([failed, ended]);
    if (signal.aborted) return;
    log.warn({ why }, 'ip monitor ended, trying again');
    onChange();
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** `Deleted 12: webspaces-lan: <…` and `13: eth0@if4: <…`. */
function interfaceOf(line: string): string {
  return /^(?:Deleted )?\d+: ([^:@\s]+)[:@]/.exec(line)?.[1] ?? '';
}
