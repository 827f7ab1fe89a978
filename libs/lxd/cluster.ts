import { z } from 'zod';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { CallOptions } from './client.js';
import type { Connection } from './connection.js';
import { apiPath } from './paths.js';
import { clusterMember } from './schemas.js';
import type { LxdClusterMember } from './types.js';

const members = z.array(clusterMember);

/** The cluster's members; none for a server of its own (LXD 5.0.2 answers 500 "Server is not clustered", tried). */
export async function readClusterMembers(connection: Connection, options: CallOptions = {}): Promise<LxdClusterMember[]> {
  const target = { path: apiPath(['cluster', 'members'], { recursion: 1 }), what: 'list cluster members' };
  try {
    return (await connection.read(target, members, options)).value;
  } catch (error) {
    if (isPlatformError(error) && error.details['reason'] === 'not-clustered') return [];
    throw error;
  }
}
