import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from './answer.js';
import type { CallOptions } from './client.js';
import type { Connection } from './connection.js';
import { apiPath } from './paths.js';
import { server } from './schemas.js';
import type { LxdServer } from './types.js';

const greeting = z.looseObject({ auth: z.string() });

/** `GET /1.0`. An unknown client gets 200 with auth "untrusted" and no environment (LXD 5.0.2, tried): DENIED_UPSTREAM here. */
export async function readServer(connection: Connection, options: CallOptions = {}): Promise<LxdServer> {
  const target = { path: apiPath([]), what: 'read the server' };
  const { value } = await connection.read(target, greeting, options);
  if (value.auth === 'untrusted') {
    throw new PlatformError('DENIED_UPSTREAM', 'LXD does not trust our client certificate: add it there with "lxc config trust add".', {
      details: { reason: 'untrusted' },
    });
  }
  return parseMetadata(value, server, target.what);
}
