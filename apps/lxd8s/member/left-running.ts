import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { Connection } from '#libs/lxd/connection.js';
import { DEFAULT_SLICE_SECONDS, Operation } from '#libs/lxd/operation.js';
import { apiPath } from '#libs/lxd/paths.js';
import { type Instance, instance, instancesAt } from './instances-at.js';

/** In LXD's folder, beside the mark of the volume. */
const NOTE = '.webspaces-running.json';
const START_MS = 120_000;
const NAMED = 5;

const noted = z.array(z.string().min(1));

export interface LeftRunningOptions {
  /** LXD's. */
  readonly folder: string;
  readonly member: string;
  readonly log: Logger;
  /** Until what could not be started is tried again. */
  readonly againMs: number;
}

export interface StartAgain {
  readonly lxd: Connection;
  /** Why some are not started yet; undefined: none are left. */
  readonly tell: (why: string | undefined) => void;
}

/**
 * What runs when a member is stopped is written down here, too. LXD writes `STOPPED` of each instance that it stops, and puts `RUNNING` in its
 * place afterwards (LXD 5.0, instancesShutdown): where the database loses its majority in between, as when all members stop at once, that
 * instance would stay off after the next start.
 */
export class LeftRunning {
  readonly #options: LeftRunningOptions;
  readonly #file: string;
  /** What is noted and not started yet, as it was when LXD served again; undefined before that. */
  #left: Map<string, Instance> | undefined;
  #work: Promise<void> | undefined;

  constructor(options: LeftRunningOptions) {
    this.#options = options;
    this.#file = join(options.folder, NOTE);
  }

  /**
   * Names as liblxc has them: with the project and a `_` before those of other projects than `default`. After the signal of {@link startAgain}
   * was aborted; what that has not started stays noted.
   */
  async note(names: readonly string[]): Promise<void> {
    await this.#work;
    const all = new Set([...(this.#left?.keys() ?? (await this.#read())), ...names]);
    if (all.size > 0) await this.#write([...all]);
  }

  /**
   * To be called once LXD serves; the first call begins, further ones do nothing. One after the other, what was noted and is this member's is started
   * if LXD has it as stopped now, unless it is not to be started with its member, or was started by somebody since. Others are tried again while
   * one cannot be started; then nothing is noted any more.
   */
  startAgain(how: StartAgain, signal: AbortSignal): void {
    this.#work ??= this.#startAll(how, signal);
  }

  async #startAll({ lxd, tell }: StartAgain, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const why = await this.#pass(lxd, signal).catch(messageOf);
      if (signal.aborted) return;
      tell(why);
      if (why === undefined) return;
      // Rejects only when it ends.
      await delay(this.#options.againMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Why some are left. */
  async #pass(lxd: Connection, signal: AbortSignal): Promise<string | undefined> {
    this.#left ??= await this.#stopped(lxd, signal);
    let why: string | undefined;
    for (const [id, one] of [...this.#left]) {
      await this.#write([...this.#left.keys()]);
      try {
        await this.#start(one, lxd, signal);
        this.#left.delete(id);
      } catch (error) {
        signal.throwIfAborted();
        if (isPlatformError(error, 'UNAVAILABLE')) why ??= messageOf(error);
        else {
          this.#left.delete(id);
          if (isPlatformError(error, 'NOT_FOUND')) continue;
          this.#options.log.error({ instance: id, error: messageOf(error) }, 'ran when the member was stopped, and cannot be started');
        }
      }
    }
    if (this.#left.size > 0)
      return `not started again yet, although they ran when the member was stopped: ${some([...this.#left.keys()])}. ${why}`;
    await rm(this.#file, { force: true });
    return undefined;
  }

  /** Of what is noted. Those that LXD knows to have run it starts itself. */
  async #stopped(lxd: Connection, signal: AbortSignal): Promise<Map<string, Instance>> {
    const names = new Set(await this.#read());
    const all = names.size === 0 ? [] : await instancesAt(lxd, this.#options.member, signal);
    const ids = all.map((one) => [one.project === 'default' ? one.name : `${one.project}_${one.name}`, one] as const);
    return new Map(ids.filter(([id, one]) => names.has(id) && isStopped(one)));
  }

  async #start(before: Instance, lxd: Connection, signal: AbortSignal): Promise<void> {
    const { name, project } = before;
    const read = { path: apiPath(['instances', name], { project }), what: `read instance ${name}` };
    const { value: now } = await lxd.read(read, instance, { signal });
    if (now.location !== this.#options.member || !isStopped(now) || now.last_used_at !== before.last_used_at) return;
    const what = `start instance ${name}`;
    const path = apiPath(['instances', name, 'state'], { project });
    const { id } = await lxd.start({ method: 'PUT', path, body: { action: 'start', timeout: 30 }, what }, { signal });
    await new Operation(lxd, { id, what, sliceSeconds: DEFAULT_SLICE_SECONDS }).wait({ timeoutMs: START_MS, signal });
    this.#options.log.warn({ instance: name }, 'started again: it ran when the member was stopped, and LXD could not write that down');
  }

  async #read(): Promise<string[]> {
    try {
      return noted.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#options.log.warn({ file: this.#file, error: messageOf(error) }, 'what ran when the member was stopped cannot be read');
      return [];
    }
  }

  async #write(names: readonly string[]): Promise<void> {
    await writeFile(`${this.#file}.new`, JSON.stringify(names), { mode: 0o600, flush: true });
    await rename(`${this.#file}.new`, this.#file);
  }
}

function isStopped({ status, config, expanded_config: expanded }: Instance): boolean {
  const never = /^(?:false|0|no|off)$/i.test(expanded?.['boot.autostart'] ?? '');
  return status === 'Stopped' && config?.['volatile.last_state.power'] === 'STOPPED' && !never;
}

function some(names: readonly string[]): string {
  return names.length > NAMED ? `${names.slice(0, NAMED).join(', ')} and ${names.length - NAMED} more` : names.join(', ');
}
