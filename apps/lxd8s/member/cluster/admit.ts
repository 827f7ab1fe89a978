import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { timeLimit } from '#libs/net/time-limit.js';
import { instancesAt } from '../instances-at.js';
import type { ClusterRecord } from './record.js';
import { assertTurn, turnOf } from './turn.js';

/** What a new member gets. `token` is a secret. */
export const admission = z.strictObject({
  token: z.string().min(1),
  addresses: z.array(z.string().min(1)).min(1),
  certificate: z.string().min(1),
  settings: z.array(z.looseObject({ entity: z.string(), name: z.string(), key: z.string(), value: z.string().default('') })),
});
export type Admission = z.output<typeof admission>;

export interface AdmitParts {
  readonly lxd: OwnMember;
  readonly record: ClusterRecord;
  readonly folder: string;
  readonly log: Logger;
}

/**
 * Lets a member in whose pod has shown who it is. One that the cluster has already comes back only on the volume that it had, empty of instances
 * (it was cut off while it joined), or by an admin's word in the record: then what only it had is given up. One after the other: where it is slow,
 * LXD does not get over two that join at once (5.0.2, seen).
 * @throws PlatformError CONFLICT that says what the admin would have to write, UNAVAILABLE while another one joins, or at the end of the member's own turn.
 */
export async function admit(member: string, volume: string, { lxd, record, folder, log }: AdmitParts): Promise<Admission> {
  const signal = timeLimit(20_000);
  const begun = await record.read(signal);
  if (begun) assertTurn(begun, member);
  const members = await lxd.members({ signal });
  if (members.some(({ server_name }) => server_name === member)) await mayComeBack();
  await record.changeInTurn((now) => {
    assertTurn(now, member);
    const rejoin = now.rejoin === member ? undefined : now.rejoin;
    return { ...now, volumes: { ...now.volumes, [member]: volume }, rejoin, joining: turnOf(member, now) };
  }, signal);
  const { token, addresses } = await lxd.makeJoinToken(member, { signal });
  log.info({ joins: member, volume }, 'a token for a new member');
  const certificate = await readFile(join(folder, 'cluster.crt'), 'utf8');
  const { member_config: settings } = await lxd.cluster({ signal });
  return { token, addresses: [...addresses], certificate, settings };

  async function mayComeBack(): Promise<void> {
    const now = await record.read(signal);
    const had = (await instancesAt(lxd.connection, member, signal)).map(({ name }) => name).sort();
    const cutOff = now?.volumes[member] === volume && had.length === 0;
    if (!cutOff && now?.rejoin !== member) throw needsWord(member, record.name, had);
    log.warn(
      { rejoins: member, volume, instancesGivenUp: had, because: cutOff ? 'it was cut off while it joined' : 'an admin said so' },
      'a member is taken out to join anew',
    );
    await lxd.removeByForce(member, { signal });
  }
}

function needsWord(member: string, record: string, had: readonly string[]): PlatformError {
  const loss =
    had.length === 0
      ? 'no instance is on it'
      : `${had.length === 1 ? '1 instance is' : `${had.length} instances are`} on it: ${had.slice(0, 10).join(', ')}${had.length > 10 ? ', …' : ''}`;
  const patch = JSON.stringify({ data: { rejoin: member } });
  return new PlatformError(
    'CONFLICT',
    `The cluster has a member ${member}, on another volume (${loss}). Mount its volume; or, if that is lost, give up what was on it: kubectl patch configmap ${record} --type merge -p '${patch}'`,
  );
}
