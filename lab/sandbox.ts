import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type RunOptions, run } from './exec.js';
import { LabProcess, type ProcessSpec } from './process.js';
import { argumentsOf, childrenOf, hasNamespaces, processesOfNamespace, residentBytes } from './process-table.js';
import type { Profile } from './profile.js';
import { projectRoot } from './project.js';

/** What sandbox.sh becomes. */
const HOLDER = 'unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child=KILL --mount-proc'.split(' ');

export interface SandboxPlace {
  /** Name of its process in the lab. */
  readonly process: string;
  readonly folder: string;
  /** Of its host and its cgroups: no other on this machine may have it. */
  readonly name: string;
}

/** The namespaces LXD lives in, or a node. Its process is the holder: one SIGKILL to it ends the daemon, dnsmasq and every container. */
export class Sandbox {
  readonly process: LabProcess;
  private readonly script = join(projectRoot(), 'lab', 'sandbox.sh');

  constructor(
    profile: Profile,
    private readonly place: SandboxPlace = { process: 'sandbox', folder: profile.paths.sandbox, name: profile.sandboxName },
  ) {
    const { folder, name } = place;
    this.process = new LabProcess(profile, {
      name: place.process,
      spec: () => ({
        command: 'bash',
        args: [this.script, 'run', folder, name],
        becomes: [...HOLDER, 'bash', this.script, 'init', folder, name],
      }),
      healthy: async () => this.initPid() !== undefined && existsSync(join(folder, 'ready')),
      readyTimeoutMs: 10_000,
    });
  }

  /** The host's pid of the sandbox's pid 1. */
  initPid(): number | undefined {
    const holder = this.process.pid();
    // Until it has become `unshare`, its children are helpers of the script, and the mark of readiness is an older one's.
    return holder === undefined || argumentsOf(holder)[0] !== HOLDER[0] ? undefined : childrenOf(holder).find(hasNamespaces);
  }

  /** A command as it must be started on the host to run inside; give absolute paths, since the working directory is lost. */
  inside(command: readonly string[]): Pick<ProcessSpec, 'command' | 'args'> {
    const init = this.initPid();
    if (init === undefined) throw new Error(`the sandbox ${this.place.name} does not run`);
    return { command: 'bash', args: [this.script, 'in', this.place.folder, String(init), ...command] };
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
