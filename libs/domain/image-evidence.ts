import { createHash } from 'node:crypto';
import type { FetchedImage, ImportImageInput, ImportPlan } from '#libs/contracts/images.js';
import type { Requester } from '#libs/contracts/operations.js';

/** Properties of an LXD image that say where it comes from. Whoever makes an image of their own may not write them. */
export const EVIDENCE_PREFIX = 'webspaces.';
const KEYS = {
  source: 'webspaces.source',
  version: 'webspaces.version',
  releaseId: 'webspaces.release-id',
  assetIds: 'webspaces.asset-ids',
  metadata: 'webspaces.sha256.metadata',
  rootfs: 'webspaces.sha256.rootfs',
  importedBy: 'webspaces.imported-by',
  importedAt: 'webspaces.imported-at',
  approvedBy: 'webspaces.approved-by',
  operation: 'webspaces.operation',
  alias: 'webspaces.alias',
  adopted: 'webspaces.adopted',
} as const;

/** `image-<hash>`: name of the lock of an alias, which may hold slashes and capitals. */
export function imageNameOf(alias: string): string {
  return `image-${createHash('sha256').update(alias).digest('hex').slice(0, 16)}`;
}

export interface ImageEvidence {
  readonly source: string;
  readonly version: string;
  readonly alias: string;
  readonly operation: string;
  /** ISO 8601 in UTC. */
  readonly importedAt: string;
  readonly importedBy: string;
  readonly approvedBy?: string;
  readonly releaseId?: string;
  readonly assetIds?: string;
  readonly metadataSha256?: string;
  readonly rootfsSha256?: string;
  /** LXD had it already, from elsewhere: it is not for the import to remove it. */
  readonly adopted: boolean;
}

interface Image {
  readonly properties: Readonly<Record<string, string>>;
}

/** What an imported image says of itself; undefined for one that came another way. */
export function evidenceOf({ properties }: Image): ImageEvidence | undefined {
  const { [KEYS.source]: source, [KEYS.operation]: operation, [KEYS.alias]: alias } = properties;
  if (source === undefined || operation === undefined || alias === undefined) return undefined;
  const optional = (name: string, key: string) => (properties[key] === undefined ? {} : { [name]: properties[key] });
  return {
    source,
    operation,
    alias,
    version: properties[KEYS.version] ?? '',
    importedAt: properties[KEYS.importedAt] ?? '',
    importedBy: properties[KEYS.importedBy] ?? '',
    adopted: KEYS.adopted in properties,
    ...optional('approvedBy', KEYS.approvedBy),
    ...optional('releaseId', KEYS.releaseId),
    ...optional('assetIds', KEYS.assetIds),
    ...optional('metadataSha256', KEYS.metadata),
    ...optional('rootfsSha256', KEYS.rootfs),
  };
}

export function evidencePropertiesOf({
  input,
  plan,
  fetched,
  operation,
  importedAt,
  approvedBy,
}: {
  readonly input: ImportImageInput;
  readonly plan: ImportPlan;
  readonly fetched: FetchedImage;
  /** Workflow id. */
  readonly operation: string;
  readonly importedAt: Date;
  readonly approvedBy?: Requester;
}): Record<string, string> {
  const assetIds = plan.files.flatMap(({ location }) => (location.at === 'github' ? [String(location.assetId)] : []));
  const digest = (role: string) => fetched.files.find((file) => file.role === role)?.sha256 ?? '';
  return {
    [KEYS.source]: plan.source,
    [KEYS.version]: plan.version,
    ...(plan.releaseId === undefined ? {} : { [KEYS.releaseId]: String(plan.releaseId) }),
    ...(assetIds.length === 0 ? {} : { [KEYS.assetIds]: assetIds.join(',') }),
    [KEYS.metadata]: digest('metadata'),
    [KEYS.rootfs]: digest('rootfs'),
    [KEYS.importedBy]: input.requestedBy.username,
    [KEYS.importedAt]: importedAt.toISOString(),
    ...(approvedBy ? { [KEYS.approvedBy]: approvedBy.username } : {}),
    [KEYS.operation]: operation,
    [KEYS.alias]: input.alias,
  };
}

/** As {@link evidencePropertiesOf}, for an image of the same bytes that came another way. */
export function adoptionPropertiesOf(evidence: Readonly<Record<string, string>>): Record<string, string> {
  return { ...evidence, [KEYS.adopted]: 'true' };
}
