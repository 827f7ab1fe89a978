import { PlatformError } from '#libs/errors/platform-error.js';
import type { CallOptions } from './client.js';
import type { Connection } from './connection.js';
import { apiPath } from './paths.js';
import { poolResources, profile } from './schemas.js';
import type { LxdPoolSpace } from './types.js';

export class Storage {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async rootPool(profiles: readonly string[], options: CallOptions = {}): Promise<string> {
    let pool: string | undefined;
    for (const name of profiles) {
      const target = { path: apiPath(['profiles', name]), what: `read profile ${name}` };
      const { devices } = (await this.#connection.read(target, profile, options)).value;
      pool = Object.values(devices).find(({ type, path }) => type === 'disk' && path === '/')?.['pool'] ?? pool;
    }
    if (pool !== undefined) return pool;
    throw new PlatformError('NOT_FOUND', `None of LXD's profiles ${profiles.join(', ')} has a root disk with a pool.`);
  }

  async space(pool: string, { member, ...options }: CallOptions & { readonly member?: string } = {}): Promise<LxdPoolSpace> {
    const path = apiPath(['storage-pools', pool, 'resources'], member === undefined ? {} : { target: member });
    return (await this.#connection.read({ path, what: `read the space of pool ${pool}` }, poolResources, options)).value.space;
  }
}
