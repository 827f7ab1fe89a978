import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

const KEY_BYTES = 32;

const keyFileSchema = z
  .strictObject({ current: z.string().min(1), keys: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,32}$/), z.string()) })
  .refine(({ current, keys }) => current in keys, { message: '`current` must name one of `keys`' });

export interface KeyRing {
  readonly current: string;
  readonly keys: ReadonlyMap<string, Buffer>;
}

/**
 * Reads `{"current":"k1","keys":{"k1":"<base64 of 32 bytes>"}}`. Old keys stay in `keys` until nothing sealed with them travels any more.
 * @throws PlatformError INVALID_INPUT, never with the file's content, when it cannot be read, others may read it, or a key is malformed.
 */
export function readKeyFile(path: string, { groupReadable = false }: { readonly groupReadable?: boolean } = {}): KeyRing {
  const refuse = (why: string) => new PlatformError('INVALID_INPUT', `The sealing key file ${path} ${why}.`);
  let text: string;
  try {
    const mode = statSync(path).mode;
    const forbidden = groupReadable ? 0o027 : 0o077;
    if (mode & forbidden)
      throw refuse(`is open to others (mode ${(mode & 0o777).toString(8)}): run "chmod ${groupReadable ? '640' : '600'}" on it`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const parsed = keyFileSchema.safeParse(parseJson(text));
  if (!parsed.success) throw refuse('must be JSON {"current":"k1","keys":{"k1":"<base64 of 32 bytes>"}}');
  const keys = new Map(Object.entries(parsed.data.keys).map(([id, encoded]) => [id, Buffer.from(encoded, 'base64')]));
  for (const [id, key] of keys)
    if (key.length !== KEY_BYTES) throw refuse(`holds a key "${id}" of ${key.length} bytes; it must be ${KEY_BYTES}`);
  return { current: parsed.data.current, keys };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it, without its content in the message
  }
}
