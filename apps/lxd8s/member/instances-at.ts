import { z } from 'zod';
import type { Connection } from '#libs/lxd/connection.js';
import { apiPath } from '#libs/lxd/paths.js';

const settings = z.record(z.string(), z.string()).nullish();
/** As LXD lists it; of a member that is away without its configuration. */
export const instance = z.looseObject({
  name: z.string(),
  project: z.string().default('default'),
  location: z.string(),
  status: z.string(),
  last_used_at: z.string(),
  config: settings,
  expanded_config: settings,
});
export type Instance = z.output<typeof instance>;

/** All that LXD has on a member, of all projects. */
export async function instancesAt(lxd: Connection, member: string, signal: AbortSignal): Promise<Instance[]> {
  const target = { path: apiPath(['instances'], { recursion: 1, 'all-projects': 'true' }), what: 'list instances' };
  const { value } = await lxd.read(target, z.array(instance), { signal });
  return value.filter(({ location }) => location === member);
}
