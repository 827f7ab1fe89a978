import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { ObservedScale } from '#libs/domain/scale/observed.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from '#libs/lxd/answer.js';
import { settleAll } from '../shared/settle-all.js';
import type { Cluster, UpgradeDeps } from '../upgrade/deps.js';
import { parseStatefulSet } from '../upgrade/objects.js';
import { type Observation, observe } from '../upgrade/observe.js';
import { freeNodesOf } from './free-nodes.js';

export interface LookingToScale {
  readonly cluster: string;
  /** Whose own work is no other's. */
  readonly operationId: string;
  readonly signal: AbortSignal;
}

export interface ScaleObservation extends Pick<Observation, 'statefulSet' | 'known'> {
  readonly observed: ObservedScale;
}

/**
 * Rows of LXD's database, which needs no member but the one that is asked: what each has, in its words. Images that were only fetched to be used
 * once, and volumes of instances, which go with them, are left out.
 */
const HOLDINGS = `SELECT n.name, 'instance', CASE p.name WHEN 'default' THEN i.name ELSE p.name || '/' || i.name END
 FROM instances i JOIN nodes n ON n.id = i.node_id JOIN projects p ON p.id = i.project_id
UNION ALL SELECT n.name, 'image', substr(i.fingerprint, 1, 12)
 FROM images i JOIN images_nodes x ON x.image_id = i.id JOIN nodes n ON n.id = x.node_id
 WHERE i.cached = 0 AND (SELECT count(*) FROM images_nodes y WHERE y.image_id = i.id) = 1
UNION ALL SELECT n.name, 'volume', v.name
 FROM storage_volumes v JOIN nodes n ON n.id = v.node_id WHERE v.type = 2`;

const rows = z.object({
  Results: z
    .array(z.object({ rows: z.array(z.tuple([z.string(), z.enum(['instance', 'image', 'volume']), z.string()])).nullable() }))
    .min(1),
});

const claimTemplates = z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })).default([]);

/** The cluster as it is now, with what a scaling looks at beside what an upgrade does. @throws UNAVAILABLE when no member can be asked. */
export async function observeScale(deps: UpgradeDeps, looking: LookingToScale): Promise<ScaleObservation> {
  const { cluster: name, signal } = looking;
  const cluster = deps.clusters.get(name);
  const { observed, statefulSet, known } = await observe(deps, { ...looking, images: 'left-out' });
  const [holdings, claims, freeNodes] = await settleAll([
    holdingsOf(cluster, observed, signal),
    claimsOf(cluster, statefulSet, signal),
    freeNodesOf(cluster.kube, { statefulSet, pods: observed.pods }, signal),
  ] as const);
  return { observed: { cluster: observed, ...holdings, claims, freeNodes }, statefulSet, known };
}

/** What only that member has, as the gates of a scaling say it. */
export function heldBy({ instances, others }: ObservedScale, member: string): string[] {
  return [...(instances[member] ?? []), ...(others[member] ?? [])].sort();
}

async function holdingsOf(
  { lxd, config }: Cluster,
  { members }: ObservedCluster,
  signal: AbortSignal,
): Promise<Pick<ObservedScale, 'instances' | 'others'>> {
  const serving =
    members.find(({ answers, status }) => answers === 'serving' && status === 'Online') ??
    members.find(({ answers }) => answers === 'serving');
  if (!serving) throw new PlatformError('UNAVAILABLE', `No member of ${config.name} can be asked what is on which.`);
  const query = { method: 'POST', path: '/internal/sql', body: { database: 'global', query: HOLDINGS } } as const;
  const [answer] = await lxd.ask(serving.pod, [query], { signal });
  const instances: Record<string, string[]> = {};
  const others: Record<string, string[]> = {};
  for (const [member, kind, what] of parseMetadata(answer, rows, `read what is on which member in ${serving.pod}`).Results[0]?.rows ?? []) {
    const of = kind === 'instance' ? instances : others;
    of[member] = [...(of[member] ?? []), kind === 'instance' ? what : `${kind} ${what}`];
  }
  return { instances, others };
}

/** By their names, as the controller makes them: labels are the template's, and may be none. */
async function claimsOf({ kube, config }: Cluster, statefulSet: StoredObject, signal: AbortSignal): Promise<ObservedScale['claims']> {
  const templates = claimTemplates.parse(parseStatefulSet(statefulSet).spec['volumeClaimTemplates']);
  if (templates.length === 0) return [];
  const prefixes = templates.map(({ metadata }) => `${metadata.name}-`);
  return (await kube.list('persistentVolumeClaim', { signal })).flatMap(({ metadata: { name } }) => {
    const prefix = prefixes.find((one) => name.startsWith(`${one}${config.statefulSet}-`));
    const member = prefix === undefined ? '' : name.slice(prefix.length);
    return /-\d+$/.test(member) ? [{ name, member }] : [];
  });
}
