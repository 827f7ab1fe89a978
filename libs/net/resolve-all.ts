import { lookup } from 'node:dns/promises';
import type { Target } from './dial.js';

/** Every address behind a name and port; a name that stands for several (a headless Service) gives all of them. @throws Error of the look-up. */
export async function resolveAll({ host, port }: { readonly host: string; readonly port: number }): Promise<Target[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => ({ address, port }));
}
