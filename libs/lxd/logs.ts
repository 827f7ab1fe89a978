import { z } from 'zod';
import { readBytes } from './answer.js';
import type { CallOptions } from './client.js';
import type { LxdLogs } from './client-parts.js';
import type { Connection } from './connection.js';
import { apiPath } from './paths.js';

const urls = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);

/** Log files of an instance (`lxc.log`, recorded exec output). */
export class Logs implements LxdLogs {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async list(instance: string, options: CallOptions = {}): Promise<string[]> {
    const target = { path: apiPath(['instances', instance, 'logs']), what: `list logs of instance ${instance}` };
    const { value } = await this.#connection.read(target, urls, options);
    return value.map(lastSegment);
  }

  async get(instance: string, file: string, options: CallOptions = {}): Promise<Buffer> {
    const what = `read log ${file} of instance ${instance}`;
    const path = apiPath(['instances', instance, 'logs', file]);
    return readBytes(await this.#connection.transport.request({ method: 'GET', path, what, ...options }), what);
  }

  async delete(instance: string, file: string, options: CallOptions = {}): Promise<void> {
    const path = apiPath(['instances', instance, 'logs', file]);
    await this.#connection.change({ method: 'DELETE', path, what: `delete log ${file} of instance ${instance}` }, options);
  }
}

/** `/1.0/instances/x/logs/lxc.log` is LXD's name of `lxc.log`; a query may follow. */
export function lastSegment(url: string): string {
  const path = url.split('?')[0] ?? '';
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
}
