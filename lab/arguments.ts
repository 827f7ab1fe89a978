import { parseArgs } from 'node:util';
import { PROFILES, type ProfileName } from './profile.js';

/** A mistake of the caller: said in one line, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Flags = Record<string, { type: 'boolean' | 'string'; short?: string }>;

export function parse<F extends Flags>(args: readonly string[], flags: F) {
  try {
    return parseArgs({ args: [...args], options: flags, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function profileArgument(value: string | boolean | undefined): ProfileName {
  if (value === undefined) return 'dev';
  if (typeof value === 'string' && value in PROFILES) return value as ProfileName;
  throw new UsageError(`--profile is one of ${Object.keys(PROFILES).join(', ')}`);
}
