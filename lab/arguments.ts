import { parseArgs } from 'node:util';
import { type Profile, parseProfile } from './profile.js';

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

export function profileArgument(value: string | boolean | undefined): Profile {
  try {
    return parseProfile(typeof value === 'string' ? value : (process.env['WEBSPACES_LAB'] ?? 'dev'));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
