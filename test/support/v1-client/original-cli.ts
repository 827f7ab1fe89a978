import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROMPT, type SimpleResult, type Size, type Terminal, type Typed, type V1Client } from './v1-client.js';
import type { Urls } from './wire.js';

const DEADLINE_MS = 90_000;
const DETACH = '\u001dq';

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The original's own CLI, unmodified: its binary, with a configuration file that names our API. */
export class OriginalCli implements V1Client {
  readonly name = 'the original CLI';
  readonly sendsZeroValues = false;
  readonly #config: string;

  constructor(
    private readonly binary: string,
    urls: Urls,
    folder: string,
  ) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#config = join(folder, 'netsoc.yaml');
    // A check for updates a moment ago, or it would ask for the latest release after each command.
    const text = [
      'token: ""',
      'urls:',
      `  iam: ${urls.iam}`,
      `  webspaced: ${urls.webspaced}`,
      `last_update_check: "${new Date().toISOString()}"`,
    ];
    writeFileSync(this.#config, `${text.join('\n')}\n`, { mode: 0o600 });
  }

  login = async (username: string, password: string) => void (await this.#run(['account', 'login', username], password));
  info = () => this.#json<{ username: string }>(['account', 'info']);
  images = () => this.#json<Awaited<ReturnType<V1Client['images']>>>(['webspace', 'images']);

  async init(image: string, { password, ssh = false }: { password?: string; ssh?: boolean } = {}): Promise<void> {
    await this.#run(['webspace', 'init', image, ...(password === undefined ? ['--no-password'] : []), ...(ssh ? ['--ssh'] : [])], password);
  }

  status = () => this.#json<{ running: boolean }>(['webspace', 'status']);
  config = () => this.#json<Awaited<ReturnType<V1Client['config']>>>(['webspace', 'config']);
  configSet = async (property: string, value: string | number | boolean) =>
    void (await this.#run(['webspace', 'config', 'set', property, String(value)]));
  domains = () => this.#json<string[]>(['webspace', 'domains']);
  addDomain = async (domain: string) => void (await this.#run(['webspace', 'domains', 'add', domain]));
  removeDomain = async (domain: string) => void (await this.#run(['webspace', 'domains', 'remove', domain]));
  ports = () => this.#json<Record<string, number>>(['webspace', 'ports']);

  async addPort(internal: number, external = 0): Promise<number> {
    const { stdout } = await this.#run(['webspace', 'ports', 'add', String(internal), '--external-port', String(external)]);
    return external === 0 ? Number(stdout.trim()) : external;
  }

  removePort = async (external: number) => void (await this.#run(['webspace', 'ports', 'remove', String(external)]));
  boot = async () => void (await this.#run(['webspace', 'boot']));
  reboot = async () => void (await this.#run(['webspace', 'reboot']));
  shutdown = async () => void (await this.#run(['webspace', 'shutdown']));
  sync = async () => void (await this.#run(['webspace', 'sync']));
  log = async () => (await this.#run(['webspace', 'log'])).stdout;
  clearLog = async () => void (await this.#run(['webspace', 'log', '--clear']));
  delete = async () => void (await this.#run(['webspace', 'delete', '--yes']));

  async execSimple(command: readonly string[]): Promise<SimpleResult> {
    return JSON.parse((await this.#run(['webspace', 'exec', '-o', 'json', '--', ...command])).stdout) as SimpleResult;
  }

  async exec(
    command: readonly string[],
    { size = { width: 80, height: 24 }, typed }: { size?: Size; typed?: Typed } = {},
  ): Promise<Terminal> {
    const { stdout, exitCode } = await this.#inTerminal(['webspace', 'exec', '--', ...command], size, typed ? [typed] : []);
    return { output: stdout, exitCode };
  }

  async console(input: string, until: RegExp): Promise<string> {
    const typed = [
      { after: /Attached/, text: '\r' },
      { after: PROMPT, text: `${input}\r` },
      { after: until, text: DETACH },
    ];
    return (await this.#inTerminal(['webspace', 'console'], { width: 80, height: 24 }, typed)).stdout;
  }

  async #json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse((await this.#run([...args, '-o', 'json'])).stdout) as T;
  }

  async #run(args: readonly string[], input = ''): Promise<Ran> {
    const ran = await this.#spawn(this.binary, args, (child, output) => {
      if (output === '') child.stdin.end(input);
    });
    if (ran.exitCode === 0) return ran;
    const [, message] = /Error: (.*)/.exec(ran.stderr) ?? [];
    throw new Error(message ?? `${args.join(' ')}: exit code ${ran.exitCode}: ${ran.stderr}`);
  }

  /** `script` gives it a terminal, whose exit code is the command's. */
  #inTerminal(args: readonly string[], { width, height }: Size, typed: readonly Typed[]): Promise<Ran> {
    const quoted = [this.binary, ...args].map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`).join(' ');
    const command = `stty rows ${height} cols ${width}; exec ${quoted}`;
    const waiting = [...typed];
    return this.#spawn('script', ['-qefc', command, '/dev/null'], (child, output) => {
      if (waiting[0]?.after.test(output)) child.stdin.write(waiting.shift()?.text);
    });
  }

  /** `then` is called at the start and with all that the command has written, whenever there is more. */
  #spawn(command: string, args: readonly string[], then: (child: ChildProcessWithoutNullStreams, output: string) => void): Promise<Ran> {
    const env = { PATH: '/usr/bin:/bin', TERM: 'xterm', SHELL: '/bin/sh', HOME: '/nonexistent', NETSOC_CONFIG: this.#config };
    const child = spawn(command, args, { env, timeout: DEADLINE_MS });
    let stdout = '';
    let stderr = '';
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
      then(child, stdout);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    then(child, stdout);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exitCode) => resolve({ stdout, stderr, exitCode: exitCode ?? -1 }));
    });
  }
}
