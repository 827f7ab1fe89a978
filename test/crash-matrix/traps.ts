import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const WHENS = ['before', 'inside', 'after'] as const;
export type When = (typeof WHENS)[number];

/** Where a worker dies: an activity of one workflow. */
export interface Trap {
  readonly workflowId: string;
  readonly activity: string;
  /** `before`: called, nothing done; `inside`: some way into it; `after`: all done, not yet reported. */
  readonly when: When;
  /** For `inside`: how long the activity has run when the worker dies. */
  readonly leadMs: number;
}

/**
 * One death of the worker for many workflows: each waits at its trap until all have come there (or the patience is over). Then those with
 * `inside` go on, each so much ahead of the end as its lead says, and the worker kills itself.
 */
export interface Plan {
  readonly traps: readonly Trap[];
  readonly patienceMs: number;
}

/** Activities that fail for good, to see what undoes the steps before them. */
export interface Refusal {
  readonly workflowId: string;
  readonly activity: string;
}

/** Files that the test and its workers share. A plan is used up before the worker dies, so the next worker does not die of it too. */
export class TrapFolder {
  readonly #plan: string;
  readonly #sprung: string;
  readonly #refusals: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#plan = join(folder, 'plan.json');
    this.#sprung = join(folder, 'sprung.json');
    this.#refusals = join(folder, 'refusals.json');
  }

  arm(plan: Plan): void {
    rmSync(this.#sprung, { force: true });
    write(this.#plan, plan);
  }

  disarm(): void {
    rmSync(this.#plan, { force: true });
    rmSync(this.#sprung, { force: true });
  }

  refuse(refusals: readonly Refusal[]): void {
    write(this.#refusals, refusals);
  }

  plan(): Plan | undefined {
    return existsSync(this.#sprung) ? undefined : read<Plan>(this.#plan);
  }

  refusals(): readonly Refusal[] {
    return read<Refusal[]>(this.#refusals) ?? [];
  }

  /** Told by the worker just before it dies: the traps in which it died. */
  spring(hits: readonly Trap[]): void {
    write(this.#sprung, hits);
  }

  hits(): readonly Trap[] | undefined {
    return read<Trap[]>(this.#sprung);
  }
}

function write(file: string, content: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(content));
  renameSync(`${file}.new`, file);
}

function read<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}
