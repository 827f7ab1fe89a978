import type { Parts, Role } from '../role.js';

/** Sites: HTTP by host name, TLS passed through by SNI. */
export async function startHttp(_parts: Parts): Promise<Role> {
  return { notReady: () => ({}), drain: async () => undefined };
}
