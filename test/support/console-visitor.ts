import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { waitFor } from '#lab/wait.js';

const SAYS_MS = 60_000;

/** Somebody at a console, who reads and types. */
export class ConsoleVisitor {
  /** With its exit code; null when it was killed. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  #said = '';

  constructor([command = '', ...args]: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(command, args, { env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
    }
    // Who has left reads no more.
    this.#child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.#child.once('close', (code) => resolve(code)));
  }

  /** Waits for it, and reads up to its end. */
  async says(what: RegExp): Promise<string> {
    const found = await waitFor(`the console to say ${what}`, () => what.exec(this.#said) ?? undefined, {
      timeoutMs: SAYS_MS,
      intervalMs: 100,
    }).catch((cause: unknown) => {
      throw new Error(`the console does not say ${what}, but ${JSON.stringify(this.#said.slice(-500))}`, { cause });
    });
    const end = found.index + found[0].length;
    const read = this.#said.slice(0, end);
    this.#said = this.#said.slice(end);
    return read;
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  async login(password: string): Promise<void> {
    await this.says(/\S+ login: $/);
    this.type('root');
    await this.says(/Password: $/);
    this.type(password);
  }

  /** Without a word. */
  leave(): void {
    this.#child.kill('SIGKILL');
  }
}
