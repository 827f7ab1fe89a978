import type { Versions } from './observed.js';

/**
 * How one pair of versions stands to another, as LXD compares them (lxd/util/version.go, CompareVersions): with one number higher and the
 * other lower LXD refuses to start (`nodes have inconsistent versions`).
 */
export function compareVersions(a: Versions, b: Versions): 'equal' | 'ahead' | 'behind' | 'inconsistent' {
  const schema = Math.sign(a.schema - b.schema);
  const extensions = Math.sign(a.apiExtensions - b.apiExtensions);
  if (schema === 0 && extensions === 0) return 'equal';
  if (schema >= 0 && extensions >= 0) return 'ahead';
  return schema <= 0 && extensions <= 0 ? 'behind' : 'inconsistent';
}
