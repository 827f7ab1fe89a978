import { readFileSync } from 'node:fs';
import { PlatformError } from '#libs/errors/platform-error.js';

/** Reads a secret from its file; trailing white space is no part of it. Throws INVALID_INPUT naming the path, never the content. */
export function readSecretFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}`, {
      cause,
    });
  }
  const secret = text.trimEnd();
  if (secret === '') throw new PlatformError('INVALID_INPUT', `${path} is empty`);
  return secret;
}
