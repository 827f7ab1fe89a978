import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { PlatformError } from '#libs/errors/platform-error.js';
import { refused } from './limits.js';

const MAX_MESSAGE_CHARACTERS = 300;

export interface Xz {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Why it did not unpack all of it; undefined when it did, or was killed by us. Never rejects. */
  readonly ended: Promise<PlatformError | undefined>;
  kill(): void;
}

/** `xz` as a process of its own, with a limit of memory: what it is fed was made by others. */
export function startXz(memoryBytes: number): Xz {
  const child = spawn('xz', ['--decompress', '--stdout', '--format=xz', '--threads=1', `--memlimit-decompress=${memoryBytes}`, '-'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < MAX_MESSAGE_CHARACTERS) said += chunk.toString('latin1');
  });
  const ended = new Promise<PlatformError | undefined>((resolve) => {
    child.once('error', (cause) =>
      resolve(new PlatformError('UNAVAILABLE', 'The program xz could not be started. Install xz-utils.', { cause })),
    );
    child.once('close', (code) => {
      const message = said
        .slice(0, MAX_MESSAGE_CHARACTERS)
        .trim()
        .replace(/^xz: \(stdin\): /, '');
      resolve(code === 0 || code === null ? undefined : refused(`xz cannot unpack it (${message.replaceAll('\n', ' ')})`));
    });
  });
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => void child.kill('SIGKILL') };
}
