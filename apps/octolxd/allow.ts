import type { OctolxdConfig } from '#libs/config/octolxd.js';
import type { Repository } from '#libs/github/types.js';

/** Whether a repository may be served. Names count without regard to case, as at GitHub. */
export function allowance({ allow, allowAny }: Pick<OctolxdConfig, 'allow' | 'allowAny'>): (repository: Repository) => boolean {
  const allowed = new Set(allow.map((entry) => entry.toLowerCase()));
  return (repository) => allowAny || allowed.has(repository.owner.toLowerCase()) || allowed.has(keyOf(repository));
}

/** The one name of a repository, however it was written. */
export function keyOf({ owner, name }: Repository): string {
  return `${owner}/${name}`.toLowerCase();
}
