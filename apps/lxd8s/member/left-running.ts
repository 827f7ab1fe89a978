import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { Connection } from '#libs/lxd/connection.js';
import { DEFAULT_SLICE_SECONDS, Operation } from '#libs/lxd/operation.js';
import { apiPath } from '#libs/lxd/paths.js';

/** In LXD's folder, beside the mark of the volume. */
const NOTE = '.webspaces-running.json';
const START_MS = 120_000;

const noted = z.array(z.string().min(1));
const instance = z.looseObject({
  location: z.string(),
  status: z.string(),
  config: z.record(z.string(), z.string()).nullish(),
  expanded_config: z.record(z.string(), z.string()).nullish(),
});

/**
 * What runs when a member is stopped is written down here, too. LXD writes `STOPPED` of each instance that it stops, and puts `RUNNING` in its
 * place afterwards (LXD 5.0, instancesShutdown): where the database loses its majority in between, as when all members stop at once, that
 * instance would stay off after the next start.
 */
export class LeftRunning {
  readonly #file: string;
  readonly #member: string;
  readonly #log: Logger;
  /** Nothing is noted that has not been seen to. */
  #done = false;

  constructor({ folder, member, log }: { readonly folder: string; readonly member: string; readonly log: Logger }) {
    this.#file = join(folder, NOTE);
    this.#member = member;
    this.#log = log;
  }

  /** Names as liblxc has them: with the project and a `_` before those of other projects than `default`. */
  async note(names: readonly string[]): Promise<void> {
    // What an earlier run left and nobody has started yet is not forgotten.
    const before = this.#done ? [] : ((await this.#read()) ?? []);
    const all = [...new Set([...before, ...names])];
    if (all.length > 0) await this.#write(all);
  }

  /**
   * Once LXD serves: starts what was noted, is still this member's and is off although nobody has stopped it; then nothing is noted any more.
   * @throws PlatformError UNAVAILABLE when some could not be asked for: they stay noted.
   */
  async startAgain(lxd: Connection, signal: AbortSignal): Promise<void> {
    if (this.#done) return;
    const left: string[] = [];
    for (const name of (await this.#read()) ?? []) {
      try {
        await this.#start(name, lxd, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isPlatformError(error, 'NOT_FOUND')) continue;
        if (isPlatformError(error, 'UNAVAILABLE')) left.push(name);
        else this.#log.error({ instance: name, error: messageOf(error) }, 'ran when the member was stopped, and cannot be started');
      }
    }
    if (left.length > 0) {
      await this.#write(left);
      throw new PlatformError('UNAVAILABLE', `not started again yet, although they ran when the member was stopped: ${left.join(', ')}`);
    }
    await rm(this.#file, { force: true });
    this.#done = true;
  }

  async #start(noted: string, lxd: Connection, signal: AbortSignal): Promise<void> {
    const at = noted.lastIndexOf('_');
    const [name, project] = [noted.slice(at + 1), at < 0 ? 'default' : noted.slice(0, at)];
    const read = { path: apiPath(['instances', name], { project }), what: `read instance ${name}` };
    const { value } = await lxd.read(read, instance, { signal });
    const { location, status, config, expanded_config: expanded } = value;
    // Those that LXD knows to have run it starts itself, unless they are not to be started.
    const wasStopped = status === 'Stopped' && config?.['volatile.last_state.power'] === 'STOPPED';
    if (location !== this.#member || !wasStopped || /^(?:false|0|no|off)$/i.test(expanded?.['boot.autostart'] ?? '')) return;
    const what = `start instance ${name}`;
    const body = { action: 'start', timeout: 30 };
    const path = apiPath(['instances', name, 'state'], { project });
    const { id } = await lxd.start({ method: 'PUT', path, body, what }, { signal });
    await new Operation(lxd, { id, what, sliceSeconds: DEFAULT_SLICE_SECONDS }).wait({ timeoutMs: START_MS, signal });
    this.#log.warn({ instance: name }, 'started again: it ran when the member was stopped, and LXD could not write that down');
  }

  async #read(): Promise<string[] | undefined> {
    try {
      return noted.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.#log.warn({ file: this.#file, error: messageOf(error) }, 'what ran when the member was stopped cannot be read');
      return undefined;
    }
  }

  async #write(names: readonly string[]): Promise<void> {
    await writeFile(`${this.#file}.new`, JSON.stringify(names), { mode: 0o600, flush: true });
    await rename(`${this.#file}.new`, this.#file);
  }
}
