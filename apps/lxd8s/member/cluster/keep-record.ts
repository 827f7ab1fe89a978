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
  const id = (await knownId(lxd, signal)) ?? (await nameCluster(lxd, { id: read?.id ?? randomUUID(), role }, signal));
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

async function knownId(lxd: OwnMember, signal: AbortSignal): Promise<string | undefined> {
  const { value } = await lxd.connection.read({ path: apiPath([]), what: 'read the server' }, server, { signal });
  const known = value.config?.[ID];
  return typeof known === 'string' && known !== '' ? known : undefined;
}

/** One member does, so that a cluster that was made otherwise gets one name, not two. */
async function nameCluster(
  lxd: OwnMember,
  { id, role }: { readonly id: string } & Pick<KeepRecordParts, 'role'>,
  signal: AbortSignal,
): Promise<string> {
  if (role === 'other')
    throw new PlatformError('UNAVAILABLE', 'The cluster has no id yet; the member with the lowest number gives it one.');
  await lxd.configure({ [ID]: id }, { signal });
  return id;
}

function unlessOtherWasFirst(error: unknown): void {
  if (!isPlatformError(error, 'CONFLICT')) throw error;
}
