import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type RunResult, run, tryRun } from '#lab/exec.js';
import { http } from '#lab/http.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { SettableClock } from './clock/settable-clock.js';

/** As its container file starts it. */
const FLAGS = ['--max-semi-space-size=1'];

/** What a pod is for kubelan: a network namespace of its own with an address of the underlay. */
export interface PlaceOptions {
  readonly namespace: string;
  /** Own address of the underlay. */
  readonly underlay: string;
  /** Where kubelan answers, for whoever is on the underlay. */
  readonly listen: string;
  /** Where files of it may be. */
  readonly folder: string;
  readonly kubeconfig: string;
}

export class Place {
  /** Of the next kubelan. */
  readonly clock: SettableClock;
  readonly #options: PlaceOptions;
  #agent: ChildProcess | undefined;

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.clock = new SettableClock(options.folder);
    mkdirSync(options.folder, { recursive: true });
  }

  get underlay(): string {
    return this.#options.underlay;
  }

  get namespace(): string {
    return this.#options.namespace;
  }

  get url(): string {
    return `http://${this.#options.listen}`;
  }

  /** Runs a command in there. */
  exec(command: readonly string[], input = ''): Promise<string> {
    return run('ip', ['netns', 'exec', this.namespace, ...command], { input, timeoutMs: 60_000 });
  }

  try(command: readonly string[]): Promise<RunResult> {
    return tryRun('ip', ['netns', 'exec', this.namespace, ...command], { timeoutMs: 60_000 });
  }

  async json<T>(command: readonly string[]): Promise<T> {
    return JSON.parse(await this.exec(command)) as T;
  }

  /** Writes the configuration of the next kubelan, or that of the one that runs: it takes it over by itself. */
  configure(settings: Readonly<Record<string, unknown>>): void {
    const { kubeconfig, underlay, listen } = this.#options;
    const common = { listen, kubernetes: { kubeconfig, namespace: 'webspaces' }, underlay: { address: underlay }, log: { level: 'info' } };
    writeFileSync(this.#file('kubelan.yaml'), stringify({ ...common, ...settings }));
  }

  /** Starts kubelan with no capability but NET_ADMIN, and waits until it says that all is well. */
  async start(settings?: Readonly<Record<string, unknown>>): Promise<void> {
    await this.launch(settings);
    await this.healthy();
  }

  async launch(settings?: Readonly<Record<string, unknown>>): Promise<void> {
    if (settings) this.configure(settings);
    const log = openSync(this.#file('kubelan.log'), 'a');
    const main = join(projectRoot(), 'dist', 'apps', 'kubelan', 'main.js');
    const confined = ['setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all'];
    const program = [process.execPath, ...FLAGS, ...this.clock.flags, main, '--config', this.#file('kubelan.yaml')];
    const child = spawn('ip', ['netns', 'exec', this.namespace, ...confined, ...program], {
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', GREETING: 'hello' },
    });
    this.#agent = child;
  }

  async healthy(timeoutMs = 120_000): Promise<void> {
    const check = async () => (await http(`${this.url}/health`, { timeoutMs: 5_000 })).status === 204;
    try {
      await waitFor(`health of ${this.namespace}`, check, { timeoutMs });
    } catch (cause) {
      throw new Error(`${this.namespace} is not on the LAN; its log ends with ${this.log().slice(-1_000)}`, { cause });
    }
  }

  get pid(): number {
    return this.#agent?.pid ?? 0;
  }

  /** Ends kubelan, and nothing else: the namespace stays as it is. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<void> {
    const agent = this.#agent;
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => agent.once('close', () => resolve()));
    agent.kill(signal);
    await ended;
  }

  log(): string {
    return readFileSync(this.#file('kubelan.log'), 'utf8');
  }

  async metric(name: string): Promise<number> {
    const { body } = await http(`${this.url}/metrics`, { timeoutMs: 10_000 });
    const line = body.split('\n').find((text) => text.startsWith(`webspaces_kubelan_${name} `));
    return Number(line?.split(' ').at(-1));
  }

  /** Peers of the kernel's flood list, sorted. */
  async peers(device = 'webspaces-lan'): Promise<string[]> {
    const entries = await this.json<{ mac: string; dst?: string }[]>(['bridge', '-j', 'fdb', 'show', 'dev', device]);
    return entries.flatMap(({ mac, dst }) => (mac === '00:00:00:00:00:00' && dst !== undefined ? [dst] : [])).sort();
  }

  async link(device = 'webspaces-lan'): Promise<{ ifindex: number; address: string; mtu: number; master?: string }> {
    const [link] = await this.json<{ ifindex: number; address: string; mtu: number; master?: string }[]>([
      'ip',
      '-j',
      'link',
      'show',
      device,
    ]);
    if (!link) throw new Error(`${this.namespace} has no ${device}`);
    return link;
  }

  #file(name: string): string {
    return join(this.#options.folder, name);
  }
}
