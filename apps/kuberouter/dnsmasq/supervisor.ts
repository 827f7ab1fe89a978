import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { type DnsmasqFiles, readIfThere, writeWhole } from './files.js';
import { endStray } from './stray.js';

/** What dnsmasq should do; without reservations and names those of an earlier process stay. */
export interface DnsmasqWanted {
  readonly config: string;
  readonly kept?: { readonly reservations: string; readonly names: string } | undefined;
}

export interface DnsmasqParts {
  readonly files: DnsmasqFiles;
  readonly run: RunTool;
  readonly log: Logger;
  /** It has ended by itself. */
  readonly onEnd: () => void;
}

const BACK_OFF_MS = { first: 500, longest: 30_000, forgottenAfter: 60_000 };
const START_MS = 5_000;
const STOP_MS = 3_000;

/**
 * One dnsmasq, kept running: a new configuration is tested before it takes the place of the old one and asks for a restart; reservations and
 * names are read again by SIGHUP, which touches no lease. One that ends by itself is started again, later after each further time. Calls must not overlap.
 */
export class Dnsmasq {
  readonly #parts: DnsmasqParts;
  #child: ChildProcess | undefined;
  #config: string | undefined;
  #kept: { reservations: string | undefined; names: string | undefined } | undefined;
  #notBefore = 0;
  #backOffMs = BACK_OFF_MS.first;
  #startedAt = 0;
  /** Starts, and readings by SIGHUP, since this process began. */
  readonly counts = { starts: 0, reloads: 0, failures: 0 };

  constructor(parts: DnsmasqParts) {
    this.#parts = parts;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Does what is wanted, unless it has to wait after a failure.
   * @throws PlatformError INVALID_INPUT for a configuration that dnsmasq refuses, when the old one goes on; UNAVAILABLE when it does not start.
   */
  async bring({ config, kept }: DnsmasqWanted): Promise<void> {
    const reload = this.#write(kept);
    const restart = await this.#adopt(config);
    if (this.#child && restart) await this.stop();
    if (!this.#child) return this.#start();
    if (!reload) return;
    this.#child.kill('SIGHUP');
    this.counts.reloads += 1;
  }

  /** SIGTERM, then SIGKILL; leases are in their file. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  }

  /** Whether something changed that it has to read again. */
  #write(kept: DnsmasqWanted['kept']): boolean {
    const { files } = this.#parts;
    this.#kept ??= { reservations: readIfThere(files.reservations), names: readIfThere(files.names) };
    const wanted = kept ?? { reservations: this.#kept.reservations ?? '', names: this.#kept.names ?? '' };
    const changed = (['reservations', 'names'] as const).filter((file) => wanted[file] !== this.#kept?.[file]);
    for (const file of changed) writeWhole(files[file], wanted[file]);
    this.#kept = { ...wanted };
    return changed.length > 0;
  }

  /** Whether a configuration was adopted that the running one does not know. */
  async #adopt(config: string): Promise<boolean> {
    if (config === this.#config) return false;
    const { files, run } = this.#parts;
    writeWhole(files.candidate, config);
    try {
      await run('dnsmasq', ['--test', `--conf-file=${files.candidate}`]);
    } catch (cause) {
      throw new PlatformError('INVALID_INPUT', `dnsmasq refuses its configuration: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
    renameSync(files.candidate, files.config);
    this.#config = config;
    return true;
  }

  async #start(): Promise<void> {
    if (performance.now() < this.#notBefore) throw new PlatformError('UNAVAILABLE', 'dnsmasq ended and is started again later.');
    const { files, log } = this.#parts;
    await endStray(files);
    const child = spawn('dnsmasq', ['--keep-in-foreground', `--conf-file=${files.config}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.#startedAt = performance.now();
    this.counts.starts += 1;
    const ended = new AbortController();
    let last = '';
    child.on('error', (error) => {
      last = error.message;
      // With a pid it is a signal that could not be sent.
      if (child.pid === undefined) this.#ended(child, ended);
    });
    child.once('exit', () => this.#ended(child, ended));
    const started = new Promise<boolean>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        last = line;
        log[/\b(?:failed|cannot|no address|not using|not giving)\b/i.test(line) ? 'warn' : 'debug']({ dnsmasq: line });
        // Signals are caught from here on.
        if (line.includes(': started, version')) resolve(true);
      });
      ended.signal.addEventListener('abort', () => resolve(false));
    });
    const late = delay(START_MS, false, { signal: ended.signal, ref: false }).catch(() => false);
    if (!(await Promise.race([started, late]))) throw new PlatformError('UNAVAILABLE', `dnsmasq did not start: ${last}`);
    if (child.pid !== undefined) writeWhole(files.pid, `${child.pid}\n`);
  }

  #ended(child: ChildProcess, ended: AbortController): void {
    ended.abort();
    if (this.#child !== child) return;
    this.#child = undefined;
    this.counts.failures += 1;
    const { longest, forgottenAfter, first } = BACK_OFF_MS;
    if (performance.now() - this.#startedAt > forgottenAfter) this.#backOffMs = first;
    this.#notBefore = performance.now() + this.#backOffMs;
    this.#backOffMs = Math.min(this.#backOffMs * 2, longest);
    this.#parts.log.warn({ code: child.exitCode, signal: child.signalCode }, 'dnsmasq ended');
    this.#parts.onEnd();
  }
}
