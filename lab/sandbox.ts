import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type RunOptions, run } from './exec.js';
import { LabProcess, type ProcessSpec } from './process.js';
import { childrenOf, processesOfNamespace, residentBytes } from './process-table.js';
import type { Profile } from './profile.js';
import { projectRoot } from './project.js';

/** What sandbox.sh becomes. */
const HOLDER = 'unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child=KILL --mount-proc'.split(' ');

/** The namespaces LXD lives in. Its process is the holder: one SIGKILL to it ends the daemon, dnsmasq and every container. */
export class Sandbox {
  readonly process: LabProcess;
  private readonly script = join(projectRoot(), 'lab', 'sandbox.sh');

  constructor(private readonly profile: Profile) {
    this.process = new LabProcess(profile, {
      name: 'sandbox',
      spec: () => ({
        command: 'bash',
        args: [this.script, 'run', profile.paths.sandbox, profile.sandboxName],
        becomes: [...HOLDER, 'bash', this.script, 'init', profile.paths.sandbox, profile.sandboxName],
      }),
      healthy: async () => existsSync(join(profile.paths.sandbox, 'ready')) && this.initPid() !== undefined,
      readyTimeoutMs: 10_000,
    });
  }

  /** The host's pid of the sandbox's pid 1. */
  initPid(): number | undefined {
    const holder = this.process.pid();
    return holder === undefined ? undefined : childrenOf(holder)[0];
  }

  /** A command as it must be started on the host to run inside; give absolute paths, since the working directory is lost. */
  inside(command: readonly string[]): Pick<ProcessSpec, 'command' | 'args'> {
    const init = this.initPid();
    if (init === undefined) throw new Error(`the sandbox of lab "${this.profile.name}" does not run`);
    return { command: 'bash', args: [this.script, 'in', this.profile.paths.sandbox, String(init), ...command] };
  }

  exec(command: readonly string[], options?: RunOptions): Promise<string> {
    const { command: shell, args } = this.inside(command);
    return run(shell, args, options);
  }

  residentBytes(): number {
    const init = this.initPid();
    return init === undefined ? 0 : processesOfNamespace(init).reduce((sum, pid) => sum + residentBytes(pid), 0);
  }
}
