import { PlatformError } from '#libs/errors/platform-error.js';
import type { Repository } from './types.js';

const OWNER = /^[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}$/;
const MAX_OWNER = 39;
const NAME = /^[A-Za-z0-9._-]{1,100}$/;

/**
 * A repository by GitHub's own rules for names, so that what passed can stand in a path as it is.
 * @throws PlatformError INVALID_INPUT with `details.field` `owner` or `name`.
 */
export function parseRepository(owner: string, name: string): Repository {
  if (!OWNER.test(owner) || owner.length > MAX_OWNER) {
    throw new PlatformError('INVALID_INPUT', 'The owner must be 1 to 39 letters and digits, with single hyphens between them.', {
      details: { field: 'owner' },
    });
  }
  if (!NAME.test(name) || name === '.' || name === '..' || name.toLowerCase().endsWith('.git')) {
    throw new PlatformError('INVALID_INPUT', 'The repository must be 1 to 100 of A-Z, a-z, 0-9, ".", "_" and "-", and not end in ".git".', {
      details: { field: 'name' },
    });
  }
  return { owner, name };
}
