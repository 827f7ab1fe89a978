import { readFileSync } from 'node:fs';

/**
 * Loaded into a process before its program (`node --import`): its wall clock is ahead by as many milliseconds as a file says, which the address
 * of this module names. The steady clock goes on, as it does when somebody sets that of a machine.
 */
const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const Real = Date;

globalThis.Date = class extends Real {
  constructor(at: number | string | Date = Date.now()) {
    super(at);
  }

  static override now(): number {
    return Real.now() + Number(readFileSync(file, 'utf8'));
  }
} as DateConstructor;
