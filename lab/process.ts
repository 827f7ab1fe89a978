import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sha256 } from './hash.js';
import { endProcess, environmentMark, ProcessRecord } from './process-record.js';
import { argumentsOf, childrenOf, identityOf, processesWithEnvironment, residentBytes } from './process-table.js';
import type { Profile } from './profile.js';
import { DeadlineError, waitFor } from './wait.js';

export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Content of files it reads at its start: a change asks for a restart. */
  readonly inputs?: string;
  /** What the process becomes by `exec`, if not what was started. */
  readonly becomes?: readonly string[];
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

/** For one start only; the next one is as usual. */
export interface StartOverrides {
  readonly env?: Readonly<Record<string, string>>;
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

const BASE_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' };
const LOG_LIMIT_BYTES = 50_000_000;

/** One long-running process of the lab: started detached, with a log file, a record of its identity and a health check. */
export class LabProcess {
  readonly name: string;
  readonly logFile: string;
  private readonly record: ProcessRecord;
  private readonly mark: string;

  constructor(
    profile: Profile,
    private readonly options: ProcessOptions,
  ) {
    this.mark = environmentMark(profile, options.name);
    this.name = options.name;
    this.logFile = join(profile.paths.logs, `${options.name}.log`);
    this.record = ProcessRecord.of(profile, options.name);
  }

  /** The pid while it runs. */
  pid(): number | undefined {
    return this.record.alive()?.pid;
  }

  residentBytes(): number {
    return residentBytes(this.pid() ?? 0);
  }

  async healthy(): Promise<boolean> {
    if (!this.record.alive()) return false;
    try {
      return await this.options.healthy();
    } catch {
      // Health is a yes or no; the reason is in the log.
      return false;
    }
  }

  /** Leaves a healthy process alone; starts what is missing, restarts what changed or does not answer. */
  async ensure(): Promise<'kept' | 'started' | 'restarted'> {
    const running = this.record.alive();
    if (!running) {
      await this.start();
      return 'started';
    }
    if (running.fingerprint === fingerprintOf(this.options.spec()) && (await this.becomesHealthy(5_000))) return 'kept';
    await this.restart();
    return 'restarted';
  }

  /** Starts it and waits until it is healthy; when it runs already, only waits. */
  async start(overrides: StartOverrides = {}): Promise<void> {
    if (!this.record.alive()) await this.launch(overrides);
    await this.ready();
  }

  async restart(overrides: StartOverrides = {}): Promise<void> {
    await this.stop();
    await this.start(overrides);
  }

  /** SIGTERM, then SIGKILL after the time it was given; true when there was something to stop. */
  async stop(): Promise<boolean> {
    const stopped = await this.kill('SIGTERM');
    this.record.remove();
    return stopped;
  }

  /** Signals it and waits for its end. True when it ran. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<boolean> {
    return this.record.end(signal, { patienceMs: this.options.stopTimeoutMs ?? 5_000 });
  }

  lastLogLines(count: number): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-count).join('\n') : '';
  }

  private async launch(overrides: StartOverrides): Promise<void> {
    const spec = this.options.spec();
    await this.endStrays(spec);
    const log = this.openLog();
    const child = spawn(spec.command, [...spec.args], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: spec.cwd ?? '/',
      // Nothing of the caller's environment: proxies and certificate settings would leak into the lab.
      env: { ...BASE_ENVIRONMENT, ...spec.env, ...overrides.env, ...Object.fromEntries([this.mark.split('=')]) },
    });
    closeSync(log);
    const launched = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid as number));
      child.once('error', (error) => reject(this.failure(`cannot start ${spec.command}: ${error.message}`, error)));
    });
    child.unref();
    const pid = spec.recordChild ? await this.childPid(launched) : launched;
    if (!this.record.write(pid, fingerprintOf(spec))) throw this.failure(`${this.name} ended at once`);
  }

  /** A starter that was killed between start and record left one behind; it would hold the ports. */
  private async endStrays(spec: ProcessSpec): Promise<void> {
    const wanted = (spec.becomes ?? [spec.command, ...spec.args]).join(' ');
    for (const pid of processesWithEnvironment(this.mark)) {
      const identity = identityOf(pid);
      if (identity && argumentsOf(pid).join(' ') === wanted) await endProcess(identity, 'SIGKILL', { patienceMs: 5_000 });
    }
  }

  private openLog(): number {
    mkdirSync(dirname(this.logFile), { recursive: true });
    if (existsSync(this.logFile) && statSync(this.logFile).size > LOG_LIMIT_BYTES) renameSync(this.logFile, `${this.logFile}.old`);
    return openSync(this.logFile, 'a');
  }

  private async childPid(parent: number): Promise<number> {
    try {
      return await waitFor(`child of ${this.name}`, () => childrenOf(parent)[0], { timeoutMs: 3_000, intervalMs: 5 });
    } catch (error) {
      throw this.failure(`${this.name} ended at once`, error);
    }
  }

  private async ready(): Promise<void> {
    try {
      const reached = await waitFor(`${this.name} ready`, () => this.state(), { timeoutMs: this.options.readyTimeoutMs, intervalMs: 30 });
      if (reached === 'ended') throw this.failure(`${this.name} ended before it was ready`);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      throw this.failure(`${this.name} was not ready within ${this.options.readyTimeoutMs / 1000} s`, error);
    }
  }

  private async state(): Promise<'healthy' | 'ended' | false> {
    return this.record.alive() ? (await this.healthy()) && 'healthy' : 'ended';
  }

  private async becomesHealthy(timeoutMs: number): Promise<boolean> {
    try {
      return (await waitFor(this.name, () => this.state(), { timeoutMs, intervalMs: 100 })) === 'healthy';
    } catch (error) {
      if (error instanceof DeadlineError) return false;
      throw error;
    }
  }

  private failure(message: string, cause?: unknown): PartError {
    return new PartError(this.name, this.logFile, message, { cause });
  }
}

function fingerprintOf(spec: ProcessSpec): string {
  return sha256(JSON.stringify([spec.command, spec.args, spec.env ?? {}, spec.cwd ?? '', spec.inputs ?? '']));
}
