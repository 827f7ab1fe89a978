import { PlatformError } from '#libs/errors/platform-error.js';
import { parseRepository } from '#libs/github/repository.js';
import type { Repository } from '#libs/github/types.js';
import { parseItemPath } from '#libs/simplestreams/item-paths.js';

/** What a path asks for. */
export type Route =
  | { readonly kind: 'front' | 'health' | 'live' | 'ready' | 'metrics' | 'nothing' }
  | { readonly kind: 'page'; readonly repository: Repository }
  | { readonly kind: 'document'; readonly repository: Repository; readonly document: 'index' | 'images' }
  | { readonly kind: 'file'; readonly repository: Repository; readonly path: string };

const FIXED: Readonly<Record<string, Route>> = {
  '/': { kind: 'front' },
  '/health': { kind: 'health' },
  '/health/live': { kind: 'live' },
  '/health/ready': { kind: 'ready' },
  '/metrics': { kind: 'metrics' },
};
const NOTHING: Route = { kind: 'nothing' };
const LONGEST_TARGET = 2_000;
const BELOW_REPOSITORY = /^\/([^/]+)\/([^/]+)(?:\/(.*))?$/s;
const DOCUMENT = /^streams\/v1\/(index|images)\.json$/;

/** @throws PlatformError INVALID_INPUT for a target that is no path of ours, or names that GitHub cannot have */
export function routeOf(target: string): Route {
  const [raw = ''] = target.split('?', 1);
  const fixed = FIXED[raw];
  if (fixed) return fixed;
  if (!raw.startsWith('/') || raw.length > LONGEST_TARGET) throw invalid();
  const [, owner, name, below = ''] = BELOW_REPOSITORY.exec(raw) ?? [];
  if (owner === undefined || name === undefined) return NOTHING;
  const repository = parseRepository(decoded(owner), decoded(name));
  if (below === '') return { kind: 'page', repository };
  const [, document] = DOCUMENT.exec(below) ?? [];
  if (document !== undefined) return { kind: 'document', repository, document: document as 'index' | 'images' };
  const path = decoded(below);
  return parseItemPath(path) ? { kind: 'file', repository, path } : NOTHING;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Not percent-encoding at all.
    throw invalid();
  }
}

function invalid(): PlatformError {
  return new PlatformError('INVALID_INPUT', 'The path of the request is not valid.', { details: { field: 'path' } });
}
