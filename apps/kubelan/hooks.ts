import { spawn } from 'node:child_process';
import type { Logger } from 'pino';
import { Turns } from '#libs/concurrency/turns.js';
import { messageOf } from '#libs/errors/platform-error.js';

export type HookName = 'up' | 'change';
type Variables = Readonly<Record<string, string>>;

export interface HooksParts {
  readonly commands: Readonly<Record<HookName, readonly string[]>>;
  readonly timeoutMs: number;
  /** The environment of the commands. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly onFailure: (hook: HookName) => void;
}

/** Runs the configured commands one after the other, beside everything else: none holds up the network. A failure is logged, counted and kept. */
export class Hooks {
  readonly #parts: HooksParts;
  readonly #turns = new Turns(1);
  readonly #failures = new Map<HookName, string>();

  constructor(parts: HooksParts) {
    this.#parts = parts;
  }

  /** Of each hook whose last run failed: why. */
  get failures(): ReadonlyMap<HookName, string> {
    return this.#failures;
  }

  /** Returns when the command has ended; throws nothing. */
  async run(hook: HookName, variables: Variables): Promise<void> {
    const command = this.#parts.commands[hook];
    if (command.length === 0) return;
    await this.#turns.run(async () => {
      try {
        await this.#spawn(command, variables);
        this.#failures.delete(hook);
      } catch (error) {
        this.#failures.set(hook, messageOf(error));
        this.#parts.onFailure(hook);
        this.#parts.log.error({ hook, command: command[0], error: messageOf(error) }, 'hook failed');
      }
    });
  }

  #spawn([program = '', ...args]: readonly string[], variables: Variables): Promise<void> {
    const { env, timeoutMs } = this.#parts;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { env: { ...env, ...variables }, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
      let errors = '';
      let late = false;
      // The whole group: a shell's children would live on.
      const timer = setTimeout(() => {
        late = true;
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      }, timeoutMs);
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        errors = (errors + text).slice(-500);
      });
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(timer);
        if (code === 0) resolve();
        else reject(new Error(late ? `ran longer than ${timeoutMs / 1000} s` : `exit ${code}: ${errors.trim()}`));
      });
    });
  }
}
