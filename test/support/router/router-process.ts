import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { tryRun } from '#lab/exec.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { SettableClock } from '../clock/settable-clock.js';
import type { Netns } from './netns.js';

export interface RouterStatus {
  readonly active: boolean;
  readonly reservations: number;
  readonly conflicts: readonly { readonly name: string; readonly address: string; readonly reason: string }[];
  readonly dnsmasq: {
    readonly running: boolean;
    readonly pid?: number;
    readonly starts: number;
    readonly reloads: number;
    readonly failures: number;
  };
  readonly link?: { readonly index: number; readonly addresses: readonly string[] };
}

interface Parts {
  readonly netns: Netns;
  readonly number: number;
  readonly folder: string;
  readonly kubeconfig: string;
  readonly socket: string;
  readonly kubePort: number;
}

/** The capabilities of its container. */
const CAPABILITIES = '-all,+net_admin,+net_raw,+net_bind_service,+setuid,+setgid,+kill';

/** apps/kuberouter in a network namespace, with the capabilities of its container and no more. */
export class RouterProcess {
  readonly netns: Netns;
  readonly logFile: string;
  /** Of the next process; dnsmasq's is the machine's. */
  readonly clock: SettableClock;
  readonly #parts: Parts;
  #child: ChildProcess | undefined;
  #relay: ChildProcess | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.netns = parts.netns;
    this.logFile = join(parts.folder, 'log');
    mkdirSync(parts.folder, { recursive: true, mode: 0o755 });
    this.clock = new SettableClock(parts.folder);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('The router does not run.');
    return pid;
  }

  get stateFolder(): string {
    return join(this.#parts.folder, 'state');
  }

  /** Starts it with these settings over the usual ones; returns at once. */
  async start(settings: object = {}): Promise<void> {
    const { folder, kubeconfig, number, netns } = this.#parts;
    this.#relay ??= this.#startRelay();
    const config = {
      listen: '127.0.0.1:8185',
      log: { level: 'debug' },
      kubernetes: { kubeconfig, namespace: 'webspaces' },
      stateFolder: this.stateFolder,
      standby: { podName: `router-${number}`, enabled: false },
      ...settings,
    };
    const file = join(folder, 'config.yaml');
    writeFileSync(file, stringify(config));
    const main = join(projectRoot(), 'dist', 'apps', 'kuberouter', 'main.js');
    const [command = '', ...args] = [
      ...netns.enter,
      'setpriv',
      `--bounding-set=${CAPABILITIES}`,
      '--inh-caps=-all',
      process.execPath,
      ...this.clock.flags,
      main,
      '--config',
      file,
    ];
    const log = openSync(this.logFile, 'a');
    this.#child = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    await once(this.#child, 'spawn');
  }

  async ready(timeoutMs = 60_000): Promise<RouterStatus> {
    const ready = async () => (await this.get('/health/ready')).startsWith('{"status":"ready"');
    try {
      await waitFor(`router ${this.#parts.number} ready`, ready, { timeoutMs, intervalMs: 100 });
    } catch (error) {
      throw new Error(`${await this.get('/health/ready')}\n${readFileSync(this.logFile, 'utf8').slice(-3000)}`, { cause: error });
    }
    return this.status();
  }

  async get(path: string): Promise<string> {
    return (await this.netns.tryRun(['curl', '-s', '-m', '5', `http://127.0.0.1:8185${path}`])).stdout;
  }

  async status(): Promise<RouterStatus> {
    return JSON.parse(await this.get('/status')) as RouterStatus;
  }

  /** A metric's value, with its labels as they stand: `…_total{reason="rate"}`. */
  async metric(name: string): Promise<number> {
    const line = (await this.get('/metrics')).split('\n').find((text) => text.startsWith(`${name} `));
    if (line === undefined) throw new Error(`There is no metric ${name}.`);
    return Number(line.slice(name.length));
  }

  refused = (reason: string) => this.metric(`webspaces_kuberouter_refused_packets_total{reason="${reason}"}`);

  /** Ends the process only; what it started may live on. */
  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async end(): Promise<void> {
    await this.kill('SIGTERM');
    await this.killAll();
  }

  /** All processes of its namespace at once, as when a pod is lost. */
  async killAll(): Promise<void> {
    this.#child = undefined;
    this.#relay = undefined;
    const pids = (await tryRun('ip', ['netns', 'pids', this.netns.name])).stdout.split('\n').filter(Boolean);
    for (const pid of pids) endQuietly(Number(pid));
  }

  /** The real gateway of forwarded ports in the same namespace, active where the router is. Returns its process. */
  async startGateway(settings: object = {}): Promise<ChildProcess> {
    const { folder, kubeconfig, number, netns } = this.#parts;
    const config = {
      role: 'ports',
      listen: '127.0.0.1:8082',
      kubernetes: { kubeconfig, namespace: 'webspaces' },
      temporal: { address: '127.0.0.1:1', uiUrl: 'http://127.0.0.1:1', namespace: 'default' },
      ports: { podName: `router-${number}`, leaseSeconds: 1, ...settings },
    };
    const file = join(folder, 'gateway.yaml');
    writeFileSync(file, stringify(config));
    const main = join(projectRoot(), 'dist', 'apps', 'gateway', 'main.js');
    const [command = '', ...args] = [...netns.enter, process.execPath, main, '--config', file];
    const log = openSync(join(folder, 'gateway.log'), 'a');
    const child = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    await once(child, 'spawn');
    return child;
  }

  /** Kubernetes' double listens at the loopback of the machine; in the namespace the same port leads there. */
  #startRelay(): ChildProcess {
    const { netns, kubePort, socket } = this.#parts;
    const [command = '', ...args] = [
      ...netns.enter,
      'socat',
      `TCP-LISTEN:${kubePort},bind=127.0.0.1,fork,reuseaddr`,
      `UNIX-CONNECT:${socket}`,
    ];
    return spawn(command, args, { stdio: 'ignore' });
  }
}

function endQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone by itself.
  }
}
