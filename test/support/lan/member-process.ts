import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { BRIDGE, type MemberFiles, type MemberNetwork, ROUTER, SUBNET6, UPLINK } from './member-network.js';

const PORT = 9797;

export interface Seen {
  readonly guarded: boolean;
  readonly problem?: string;
  readonly webspaces: number;
  readonly strangers: number;
  readonly closed: readonly string[];
  readonly refused: Readonly<Record<string, number>>;
  readonly offenders: Readonly<Record<string, number>>;
}

/** The process of apps/lxd8s in a member's network namespace. */
export class MemberProcess {
  #child: ChildProcess | undefined;
  #output = '';

  constructor(
    private readonly network: MemberNetwork,
    private readonly member: 'one' | 'two',
    private readonly files: MemberFiles,
  ) {}

  /** Returns when its rules are in force. */
  async start({ isolation = 'strict' }: { readonly isolation?: 'strict' | 'lan' } = {}): Promise<void> {
    const settings = {
      statefulSet: 'lxd',
      listen: `127.0.0.1:${PORT}`,
      'kubernetes.kubeconfig': this.files.kubeconfig,
      'lxd.socket': this.files.socket,
      'ports.bridge': BRIDGE,
      'ports.everySeconds': '1',
      'lan.interface': UPLINK,
      'lan.ipv6.subnet': SUBNET6,
      'lan.ipv6.router': ROUTER.address6,
      'lan.isolation': isolation,
    };
    const flags = Object.entries(settings).map(([key, value]) => `--${key}=${value}`);
    const [program = '', ...rest] = [...this.network.inside(this.member), process.execPath];
    this.#child = spawn(program, [...rest, join(projectRoot(), 'dist', 'apps', 'lxd8s', 'main.js'), ...flags], { stdio: 'pipe' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (text: Buffer) => (this.#output += text.toString()));
    const guarded = async () => {
      if (this.#child?.exitCode !== null) throw new Error(this.#output.slice(-1_000));
      return (await this.seen()).guarded;
    };
    await waitFor(`member ${this.member} guarding its ports`, guarded, { timeoutMs: 60_000, intervalMs: 100 });
  }

  async seen(): Promise<Seen> {
    const state = await this.network.run(this.member, ['curl', '-sf', '-m', '5', `http://127.0.0.1:${PORT}/state`]);
    return (JSON.parse(state) as { ports: Seen }).ports;
  }

  metrics(): Promise<string> {
    return this.network.run(this.member, ['curl', '-sf', '-m', '5', `http://127.0.0.1:${PORT}/metrics`]);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
