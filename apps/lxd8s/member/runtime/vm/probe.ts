import { execFile } from 'node:child_process';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type Accelerated, probeArguments } from './command-line.js';

/** What `deploy/vm/initramfs-init` prints. */
const RUNS = 'lxd8s: the probe runs';

export interface Probe extends Accelerated {
  readonly qemu: string;
  readonly guest: string;
  readonly seconds: number;
}

/**
 * Whether a machine runs by this accelerator here: a small one is started, and is to say so within the time. That /dev/kvm can be opened proves nothing.
 * @throws PlatformError INVALID_INPUT that says what QEMU said, and what to do.
 */
export function probeMachine({ qemu, seconds, ...how }: Probe): Promise<void> {
  return new Promise((resolve, reject) => {
    // The kernel's greeting may hang a machine that does not really run; SIGKILL ends that too.
    execFile(qemu, probeArguments(how), { timeout: seconds * 1000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (stdout.includes(RUNS)) return resolve();
      const said = stderr.trim().split('\n').at(-1);
      const why = error?.killed ? `it has not run within ${seconds} s` : said || (error?.message ?? 'it has ended and said nothing');
      const way =
        how.accelerator === 'kvm'
          ? 'Give the pod /dev/kvm of a machine with SVM or VMX, use the runtime container, or, for trials only, the accelerator tcg.'
          : '';
      reject(
        new PlatformError('INVALID_INPUT', `A machine by ${how.accelerator} does not run here: ${why}. ${way}`.trim(), { cause: error }),
      );
    });
  });
}
