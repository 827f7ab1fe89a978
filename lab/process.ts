import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './hash.js';
import { childrenOf, identityOf, isAlive, type ProcessIdentity } from './process-table.js';
import type { Profile } from './profile.js';
import { DeadlineError, waitFor } from './wait.js';

export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Content of files it reads at its start: a change asks for a restart. */
  readonly inputs?: string;
  /** The command only opens namespaces; the process meant is its child. */
  readonly recordChild?: true;
}

export interface ProcessOptions {
  readonly name: string;
  /** Asked at each start, since arguments may depend on other parts. */
  readonly spec: () => ProcessSpec;
  /** Answers whether it does its work; an error counts as no. */
  readonly healthy: () => Promise<boolean>;
  readonly readyTimeoutMs: number;
  readonly stopTimeoutMs?: number;
}

interface ProcessRecord extends ProcessIdentity {
  readonly fingerprint: string;
}

export class PartError extends Error {
  override readonly name = 'PartError';
  constructor(
    readonly part: string,
    readonly logFile: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** One long-running process of the lab: recorded with its start time, so that a reused pid is never signalled. */
export class LabProcess {
  readonly name: string;
  readonly logFile: string;
  private readonly recordFile: string;

  constructor(
    profile: Profile,
    private readonly options: ProcessOptions,
  ) {
    this.name = options.name;
    this.logFile = join(profile.paths.logs, `${options.name}.log`);
    this.recordFile = join(profile.paths.processes, `${options.name}.json`);
  }

  /** The pid while it runs. */
  pid(): number | undefined {
    return this.running()?.pid;
  }

  async healthy(): Promise<boolean> {
    if (!this.running()) return false;
    try {
      return await this.options.healthy();
    } catch {
      // Health is a yes or no; the reason is in the log.
      return false;
    }
  }

  /** Leaves a healthy process alone; starts what is missing, restarts what changed or does not answer. */
  async ensure(): Promise<'kept' | 'started' | 'restarted'> {
    const record = this.running();
    if (!record) {
      await this.start();
      return 'started';
    }
    if (record.fingerprint === fingerprintOf(this.options.spec()) && (await this.becomesHealthy(3_000))) return 'kept';
    await this.restart();
    return 'restarted';
  }

  /** Starts it and waits until it is healthy; does nothing when it runs. */
  async start(): Promise<void> {
    if (!this.running()) await this.launch();
    await this.ready();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGTERM, then SIGKILL after the time it was given; true when there was something to stop. */
  async stop(): Promise<boolean> {
    const stopped = await this.kill('SIGTERM');
    rmSync(this.recordFile, { force: true });
    return stopped;
  }

  /** Sends a signal and waits for the end; after SIGTERM's patience it ends by SIGKILL. True when it ran. */
  async kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<boolean> {
    const record = this.running();
    if (!record) return false;
    signalTo(record.pid, signal);
    try {
      await waitFor(`end of ${this.name}`, () => !isAlive(record), { timeoutMs: this.options.stopTimeoutMs ?? 5_000, intervalMs: 20 });
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      if (isAlive(record)) signalTo(record.pid, 'SIGKILL');
      await waitFor(`end of ${this.name} after SIGKILL`, () => !isAlive(record), { timeoutMs: 5_000, intervalMs: 20 });
    }
    return true;
  }

  lastLogLines(count: number): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-count).join('\n') : '';
  }

  private running(): ProcessRecord | undefined {
    if (!existsSync(this.recordFile)) return undefined;
    const record = JSON.parse(readFileSync(this.recordFile, 'utf8')) as ProcessRecord;
    return isAlive(record) ? record : undefined;
  }

  private async launch(): Promise<void> {
    const spec = this.options.spec();
    mkdirSync(join(this.logFile, '..'), { recursive: true });
    mkdirSync(join(this.recordFile, '..'), { recursive: true });
    if (existsSync(this.logFile) && statSync(this.logFile).size > 50_000_000) renameSync(this.logFile, `${this.logFile}.old`);
    const log = openSync(this.logFile, 'a');
    const child = spawn(spec.command, [...spec.args], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: spec.cwd ?? '/',
      // Nothing of the caller's environment: proxies and certificate settings would leak into the lab.
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8', ...spec.env },
    });
    closeSync(log);
    const launched = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid as number));
      child.once('error', (error) =>
        reject(new PartError(this.name, this.logFile, `cannot start ${spec.command}: ${error.message}`, { cause: error })),
      );
    });
    child.unref();
    const pid = spec.recordChild ? await this.childPid(launched) : launched;
    const identity = identityOf(pid);
    if (!identity) throw new PartError(this.name, this.logFile, `${this.name} ended at once`);
    const record: ProcessRecord = { ...identity, fingerprint: fingerprintOf(spec) };
    writeFileSync(`${this.recordFile}.new`, JSON.stringify(record));
    renameSync(`${this.recordFile}.new`, this.recordFile);
  }

  private async childPid(parent: number): Promise<number> {
    try {
      return await waitFor(`child of ${this.name}`, () => childrenOf(parent)[0], { timeoutMs: 3_000, intervalMs: 5 });
    } catch (error) {
      throw new PartError(this.name, this.logFile, `${this.name} ended at once`, { cause: error });
    }
  }

  private async ready(): Promise<void> {
    const ended = Symbol('ended');
    try {
      const result = await waitFor(`${this.name} ready`, async () => (this.running() ? (await this.healthy()) && true : ended), {
        timeoutMs: this.options.readyTimeoutMs,
        intervalMs: 30,
      });
      if (result === ended) throw new PartError(this.name, this.logFile, `${this.name} ended before it was ready`);
    } catch (error) {
      if (error instanceof PartError) throw error;
      throw new PartError(this.name, this.logFile, `${this.name} was not ready within ${this.options.readyTimeoutMs / 1000} s`, {
        cause: error,
      });
    }
  }

  private async becomesHealthy(timeoutMs: number): Promise<boolean> {
    try {
      return await waitFor(this.name, () => this.healthy(), { timeoutMs, intervalMs: 100 });
    } catch (error) {
      if (error instanceof DeadlineError) return false;
      throw error;
    }
  }
}

function fingerprintOf(spec: ProcessSpec): string {
  return sha256(JSON.stringify([spec.command, spec.args, spec.env ?? {}, spec.cwd ?? '', spec.inputs ?? '']));
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
