import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { apiPath } from '#libs/lxd/paths.js';
import { fingerprintsOf } from '#libs/lxd/pins.js';
import { leafPem } from './certificate.js';
import type { Cluster, ClusterRecord } from './record.js';

/** In LXD's own configuration, so that the record can be written again after every object of Kubernetes was lost. */
const ID = 'user.webspaces.cluster';
const server = z.looseObject({ config: z.record(z.string(), z.unknown()).nullish() });

export interface KeepRecordParts {
  readonly lxd: OwnMember;
  readonly record: ClusterRecord;
  readonly folder: string;
  readonly member: string;
  /** Uid of this member's volume. */
  readonly volume: string;
  /** The one keeper writes for all; the others write only of themselves. */
  readonly role: 'keeper' | 'other';
}

/**
 * The record as it is to be while this member is in the cluster: made again when it is missing, with this member's volume, and the certificate that
 * is in use first. @throws PlatformError CONFLICT when it is that of another cluster: nothing is written then.
 */
export async function keepRecord({ lxd, record, folder, member, volume, role }: KeepRecordParts, signal: AbortSignal): Promise<Cluster> {
  const present = leafPem(await readFile(join(folder, 'cluster.crt'), 'utf8'));
  const read = await record.read(signal);
  const id = await clusterId(lxd, read?.id ?? randomUUID(), signal);
  if (!read) {
    const made: Cluster = { id, phase: 'formed', claim: { member, volume }, certificates: present, volumes: { [member]: volume } };
    await record.create(made).catch(unlessOtherWasFirst);
  } else if (read.id !== id) {
    throw new PlatformError('CONFLICT', `The ConfigMap ${record.name} is of the cluster ${read.id}, and this member is in ${id}.`);
  }
  return record.changeInTurn((now) => {
    const inUse = role === 'other' || fingerprintsOf(now.certificates)[0] === fingerprintsOf(present)[0];
    return {
      ...now,
      phase: 'formed',
      volumes: { ...now.volumes, [member]: volume },
      ...(inUse ? {} : { certificates: present, announcedAt: undefined }),
    };
  }, signal);
}

async function clusterId(lxd: OwnMember, otherwise: string, signal: AbortSignal): Promise<string> {
  const { value } = await lxd.connection.read({ path: apiPath([]), what: 'read the server' }, server, { signal });
  const known = value.config?.[ID];
  if (typeof known === 'string' && known !== '') return known;
  await lxd.configure({ [ID]: otherwise }, { signal });
  return otherwise;
}

function unlessOtherWasFirst(error: unknown): void {
  if (!isPlatformError(error, 'CONFLICT')) throw error;
}
