import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Logger } from '#libs/logging/logger.js';
import { measure } from '../memory/measure.js';
import { raiseKernelLimits } from './kernel-limits.js';
import { prepareCgroups } from './prepare-cgroups.js';
import { instancesOfProcesses } from './processes.js';
import type { LxdEnd, LxdRun, RunningInstance, Runtime } from './runtime.js';

const USUAL_FOLDER = '/var/lib/lxd';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ContainerOptions {
  /** LXD_DIR. */
  readonly folder: string;
  /** `LXD_*` of the container; nothing else of its environment is LXD's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/** LXD as a child of this process. Its instances outlive it, and are found again by the next LXD, for as long as this container lives. */
export function containerRuntime({ folder, environment, log }: ContainerOptions): Runtime {
  const env = { ...environment, PATH, HOME: '/root', ...(folder === USUAL_FOLDER ? {} : { LXD_DIR: folder }) };
  return {
    kind: 'container',
    startsWithinMs: 0,
    async prepare() {
      await prepareCgroups();
      raiseKernelLimits(log);
      for (const needed of ['/run/lxd', '/var/log/lxd']) mkdirSync(needed, { recursive: true });
    },
    start(onLine): LxdRun {
      const child = spawn('lxd', [], { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
      const ended = new Promise<LxdEnd>((resolve) => {
        child.once('exit', (code, signal) => resolve({ code, signal }));
        child.once('error', (error) => {
          onLine(`cannot be started: ${error.message}`);
          resolve({ code: null, signal: null });
        });
      });
      return { pid: child.pid ?? 0, ended, kill: (signal) => void child.kill(signal) };
    },
    instances: async () => instancesOfProcesses(),
    // The folder is LXD's own.
    look: async () => undefined,
    memory: () => measure(),
    close: async () => undefined,
    powerOff({ pid }: RunningInstance) {
      try {
        // LXC's default `lxc.signal.halt`.
        process.kill(pid, 'SIGPWR');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    },
  };
}
