import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '#lab/project.js';

/** The wall clock of programs of Node that are started with its flags; the machine's as long as it was never set. */
export class SettableClock {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = join(folder, 'clock');
  }

  /** Ahead of the machine's by so much from now on. */
  set(aheadMs: number): void {
    // It must never be read empty.
    writeFileSync(`${this.#file}.new`, String(aheadMs));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Of Node, before the program. */
  get flags(): string[] {
    if (!existsSync(this.#file)) return [];
    const program = pathToFileURL(join(projectRoot(), 'dist', 'test', 'support', 'clock', 'preload.js'));
    program.searchParams.set('file', this.#file);
    return ['--import', program.href];
  }
}
