import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { RepositoryCalls } from './calls.js';
import { fileAnswer } from './schemas.js';

/** GitHub gives files up to this size with their content. */
const MAX_FILE_BYTES = 1_048_576;

export interface RepositoryFile {
  readonly text: string;
  /** Of the blob: a write names it, so that nobody's change is lost. */
  readonly sha: string;
  readonly url: string;
}

export interface FileQuestion {
  readonly file: string;
  /** Branch or commit. */
  readonly ref: string;
  readonly signal?: AbortSignal | undefined;
}

/** A text of the repository. @throws PlatformError NOT_FOUND when it is not there, CONFLICT for what is no text of at most 1 MiB. */
export async function readFile(calls: RepositoryCalls, { file, ref, signal }: FileQuestion): Promise<RepositoryFile> {
  const found = await findFile(calls, { file, ref, signal });
  if (found) return found;
  throw new PlatformError('NOT_FOUND', `${calls.name} has no file ${file} in ${ref}, or our credential may not see it.`, {
    details: { reason: 'no-file', file },
  });
}

/** As {@link readFile}; undefined when it is not there. */
export async function findFile(calls: RepositoryCalls, { file, ref, signal }: FileQuestion): Promise<RepositoryFile | undefined> {
  const answer = await calls.try(
    {
      path: '/contents/{+path}',
      parameters: { path: pathOf(file), ref },
      schema: z.unknown(),
      signal,
      what: `read ${file} of ${calls.name} in ${ref}`,
    },
    [404],
  );
  if (answer.status === 404) return undefined;
  const parsed = fileAnswer.safeParse(answer.data);
  if (!parsed.success) throw notText(file, 'it is no file');
  const { content, encoding, sha, html_url: url } = parsed.data;
  if (encoding !== 'base64') throw notText(file, `it is larger than ${MAX_FILE_BYTES} bytes`);
  return { text: textOf(file, Buffer.from(content, 'base64')), sha, url: url ?? '' };
}

/** Each part of a path by itself, since `..` and empty ones would lead elsewhere. @throws PlatformError INVALID_INPUT */
export function pathOf(file: string): string {
  const parts = file.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new PlatformError('INVALID_INPUT', `${file} is no path of a file in a repository.`, { details: { field: 'file' } });
  }
  return parts.map(encodeURIComponent).join('/');
}

function textOf(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw notText(file, 'it is no text in UTF-8'); // the decoder's own words tell no more
  }
}

function notText(file: string, why: string): PlatformError {
  return new PlatformError('CONFLICT', `${file} is not as expected: ${why}. Nothing was changed.`, {
    details: { reason: 'unexpected-file', file },
  });
}
