import type { WebspaceRecord } from './record.js';
import { serialiseRecord } from './record.js';

/** Properties of an LXD image that is the archive of a webspace. */
const UID = 'webspaces.archive';
const FOLDER = 'archive/';
const OWNER = 'webspaces.owner';

interface Image {
  readonly properties: Readonly<Record<string, string>>;
}

/** `archive/ws-u12/<uid>`: the image that a webspace was before it was deleted. */
export function archiveAliasOf(name: string, uid: string): string {
  return `${FOLDER}${name}/${uid}`;
}

export function isArchiveAlias(alias: string): boolean {
  return alias.startsWith(FOLDER);
}

/** What tells of an archive whose it was and how it was set up; the properties of the image it was made from are kept. */
export function archivePropertiesOf(
  name: string,
  record: WebspaceRecord,
  config: Readonly<Record<string, string>>,
  archivedAt: Date,
): Record<string, string> {
  const inherited = Object.entries(config).flatMap(([key, value]) =>
    key.startsWith('image.') && !key.startsWith('image.webspaces.') ? [[key.slice('image.'.length), value] as const] : [],
  );
  const { username = 'unknown' } = record.owner;
  return {
    ...Object.fromEntries(inherited),
    description: `Archive of ${name} (${username})`,
    [UID]: record.uid,
    [OWNER]: record.owner.id,
    'webspaces.name': name,
    'webspaces.username': username,
    'webspaces.archivedAt': archivedAt.toISOString(),
    'webspaces.record': serialiseRecord(record),
  };
}

export function isArchive({ properties }: Image): boolean {
  return UID in properties;
}

export function isArchiveOf({ properties }: Image, uid: string): boolean {
  return properties[UID] === uid;
}

/** Whether a webspace of that account may be made from the image: an archive holds what one account has written, and is for that one only. */
export function mayBeUsedBy(image: Image, accountId: string): boolean {
  return !isArchive(image) || image.properties[OWNER] === accountId;
}
