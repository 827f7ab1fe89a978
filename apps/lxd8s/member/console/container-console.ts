import { spawn } from 'node:child_process';
import { PlatformError } from '#libs/errors/platform-error.js';
import { setPassword } from './password.js';

/** A terminal of its own, since `login` wants one, and `kubectl exec` gives none without `-t`. */
const LOGIN = ['script', '--quiet', '--return', '--command', 'login', '/dev/null'] as const;

/** A login in this container; the exit code of what ended it. @throws PlatformError UNAVAILABLE when the container has not what it takes. */
export async function containerConsole(hash: string): Promise<number> {
  const { command, input } = setPassword(hash);
  const failed = await run(command, { input });
  if (failed !== 0) throw new PlatformError('UNAVAILABLE', `The password cannot be set in this container: chpasswd ended with ${failed}.`);
  return run(LOGIN);
}

/** With the input alone, or else at the terminal of this process. */
function run([command, ...args]: readonly [string, ...string[]], { input }: { readonly input?: string } = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: input === undefined ? 'inherit' : ['pipe', 'ignore', 'ignore'] });
    child.once('error', (cause) => reject(new PlatformError('UNAVAILABLE', `${command} cannot be run here: ${cause.message}.`, { cause })));
    child.once('exit', (code) => resolve(code ?? 1));
    // Of one that reads nothing its exit tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
