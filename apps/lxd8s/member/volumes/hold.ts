import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PlatformError } from '#libs/errors/platform-error.js';

/** Beside the mark; nothing is in it. */
export const LOCK = '.webspaces-volume.lock';
const HELD = 'held';
/** By this the program says that somebody else has it. */
const TAKEN = 75;
/** It ends when this process does, however that is, since its input is at an end then. */
const STAY = `echo ${HELD}; exec cat > /dev/null`;

/** Gives the volume back. */
export type Release = () => void;

/**
 * Takes a volume for this process alone: the kernel gives the lock (flock(2)) back when it has ended. So of two pods of one member on one machine, as a
 * forced deletion leaves them for a moment, the second one waits. @throws PlatformError CONFLICT when another process has it.
 */
export function holdVolume(folder: string): Promise<Release> {
  return new Promise((resolve, reject) => {
    const refused = (code: 'CONFLICT' | 'UNAVAILABLE', why: string) =>
      reject(new PlatformError(code, `The volume at ${folder} is left as it is: ${why}.`));
    const args = ['--nonblock', '--conflict-exit-code', String(TAKEN), '--no-fork', join(folder, LOCK), 'sh', '-c', STAY];
    const child = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'] });
    child.once('error', (error) => refused('UNAVAILABLE', `flock cannot be run (${error.message})`));
    child.once('exit', (code) =>
      code === TAKEN ? refused('CONFLICT', 'another process of this machine uses it') : refused('UNAVAILABLE', `flock ended with ${code}`),
    );
    // Broken when it has ended, which is told by its exit.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).once('line', () => resolve(() => child.stdin.end()));
  });
}
