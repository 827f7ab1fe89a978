import type { Parts, Role } from '../role.js';

/** Forwarded ports: in the kernel for webspaces that run, by listeners for those that are off. */
export async function startPorts(_parts: Parts): Promise<Role> {
  return { notReady: () => ({}), drain: async () => undefined };
}
