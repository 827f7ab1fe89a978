import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const AGAIN_MS = 1_000;

export interface LinkFollower {
  readonly signal: AbortSignal;
  /** Of the interface with that name; undefined when changes may have been missed. */
  readonly onChange: (name: string | undefined) => void;
  /** `ip monitor` has ended by itself, and is started again. */
  readonly onEnd?: (why: string) => void;
}

/** Tells whatever the kernel says about interfaces of this network namespace, until the signal. An event only says that a look is due. */
export async function followLinks({ signal, onChange, onEnd }: LinkFollower): Promise<void> {
  while (!signal.aborted) {
    const child = spawn('ip', ['-o', 'monitor', 'link'], { stdio: ['ignore', 'pipe', 'ignore'], signal, killSignal: 'SIGKILL' });
    const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
    const ended = new Promise<string>((resolve) => child.once('close', (code) => resolve(`exit ${code}`)));
    child.once('spawn', () => onChange(undefined));
    createInterface({ input: child.stdout }).on('line', (line) => onChange(nameIn(line)));
    const why = await Promise.race([failed, ended]);
    if (signal.aborted) return;
    onEnd?.(why);
    // Rejects only when it ends.
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** `Deleted 12: webspaces-lan: <…` and `13: eth0@if4: <…`. */
function nameIn(line: string): string | undefined {
  return /^(?:Deleted )?\d+: ([^:@\s]+)[:@]/.exec(line)?.[1];
}
