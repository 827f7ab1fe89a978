import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** An activity of an upgrade that stands still before its first line. */
export interface Held {
  /** The same for every attempt of it. */
  readonly key: string;
  readonly activity: string;
}

/** Files that a test and its worker share: what is held, and what may go on. They outlive both. */
export class HeldActivities {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  clear(): void {
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name), { force: true });
  }

  /** Told by the worker. */
  arrive(held: Held): void {
    const file = join(this.#folder, `${held.key}.held`);
    writeFileSync(`${file}.new`, JSON.stringify(held));
    renameSync(`${file}.new`, file);
  }

  release({ key }: Pick<Held, 'key'>): void {
    writeFileSync(join(this.#folder, `${key}.released`), '');
  }

  isReleased({ key }: Pick<Held, 'key'>): boolean {
    return existsSync(join(this.#folder, `${key}.released`));
  }

  /** What stands still now. */
  held(): Held[] {
    const all = readdirSync(this.#folder).filter((name) => name.endsWith('.held'));
    return all.map((name) => JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as Held).filter((one) => !this.isReleased(one));
  }
}
