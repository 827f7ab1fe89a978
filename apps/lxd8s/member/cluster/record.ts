import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

/**
 * What the members agree on outside LXD, a ConfigMap `<statefulSet>-cluster`: who may make the cluster, by which certificates its members are
 * known, and on which volume each of them has its state. Whoever creates it may make the cluster, and nobody else. No secret is in it.
 */
export interface Cluster {
  readonly id: string;
  /** `claimed` while its first member is made. */
  readonly phase: 'claimed' | 'formed';
  readonly claim: { readonly member: string; readonly volume: string };
  /** PEM, the one in use first; a second is to be used next. */
  readonly certificates: string;
  /** Since when the second is there, ISO 8601. */
  readonly announcedAt?: string | undefined;
  /** Uid of the volume of each member. */
  readonly volumes: Readonly<Record<string, string>>;
  /** A member that may come back although its volume is lost: an admin's word, which counts once. */
  readonly rejoin?: string | undefined;
  /** Who has a token and is not in yet, since when (ISO 8601). */
  readonly joining?: { readonly member: string; readonly since: string } | undefined;
}

const TRIES = 5;

type Kube = Pick<KubernetesClient, 'find' | 'create' | 'replace'>;

export const KEYS = {
  cluster: 'cluster',
  phase: 'phase',
  claimMember: 'claim.member',
  claimVolume: 'claim.volume',
  certificates: 'certificates.pem',
  announcedAt: 'announcedAt',
  volumes: 'volumes.json',
  rejoin: 'rejoin',
  joiningMember: 'joining.member',
  joiningSince: 'joining.since',
} as const;

const schema = z.looseObject({
  [KEYS.cluster]: z.string().min(1),
  [KEYS.phase]: z.enum(['claimed', 'formed']),
  [KEYS.claimMember]: z.string(),
  [KEYS.claimVolume]: z.string(),
  [KEYS.certificates]: z.string().default(''),
  [KEYS.announcedAt]: z.string().optional(),
  [KEYS.volumes]: z
    .string()
    .default('{}')
    .transform((text, context) => {
      const parsed = z.record(z.string(), z.string()).safeParse(jsonOf(text));
      if (!parsed.success) context.addIssue({ code: 'custom', message: 'is no map of volumes' });
      return parsed.data ?? {};
    }),
  [KEYS.rejoin]: z.string().optional(),
  [KEYS.joiningMember]: z.string().optional(),
  [KEYS.joiningSince]: z.string().optional(),
});

export class ClusterRecord {
  readonly name: string;
  readonly #kube: Kube;

  constructor(kube: Kube, statefulSet: string) {
    this.#kube = kube;
    this.name = `${statefulSet}-cluster`;
  }

  /** @throws PROTOCOL when there is one that cannot be read: it counts as unknown, never as absent. */
  async read(signal: AbortSignal): Promise<Cluster | undefined> {
    const object = await this.#kube.find('configMap', this.name, { signal });
    return object && this.#parse(object);
  }

  /** @throws CONFLICT when somebody else was first. */
  async create(cluster: Cluster): Promise<void> {
    await this.#kube.create('configMap', { metadata: { name: this.name }, data: dataOf(cluster) });
  }

  /**
   * Applies a change to what is there now; nothing is written when it changes nothing. @throws STALE when somebody else changed it meanwhile,
   * NOT_FOUND when there is none.
   */
  async change(by: (now: Cluster) => Cluster, signal: AbortSignal): Promise<Cluster> {
    const object = await this.#kube.find('configMap', this.name, { signal });
    if (!object) throw new PlatformError('NOT_FOUND', `There is no ConfigMap ${this.name}.`);
    const now = this.#parse(object);
    const next = by(now);
    if (JSON.stringify(dataOf(next)) === JSON.stringify(dataOf(now))) return now;
    const others = Object.entries((object['data'] ?? {}) as Record<string, string>).filter(([key]) => !OURS.has(key));
    await this.#kube.replace('configMap', { ...object, data: { ...Object.fromEntries(others), ...dataOf(next) } });
    return next;
  }

  /** As {@link change}, and again when somebody else was quicker. */
  async changeInTurn(by: (now: Cluster) => Cluster, signal: AbortSignal): Promise<Cluster> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.change(by, signal);
      } catch (error) {
        if (!isPlatformError(error, 'STALE') || tries >= TRIES) throw error;
      }
    }
  }

  #parse(object: StoredObject): Cluster {
    const parsed = schema.safeParse(object['data'] ?? {});
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const what = `${issue?.path.join('.')}: ${issue?.message}`;
      throw new PlatformError('PROTOCOL', `The ConfigMap ${this.name} is no record of a cluster (${what}).`, { cause: parsed.error });
    }
    const data = parsed.data;
    const [member, since] = [data[KEYS.joiningMember], data[KEYS.joiningSince]];
    return {
      id: data[KEYS.cluster],
      phase: data[KEYS.phase],
      claim: { member: data[KEYS.claimMember], volume: data[KEYS.claimVolume] },
      certificates: data[KEYS.certificates],
      announcedAt: data[KEYS.announcedAt],
      volumes: data[KEYS.volumes],
      rejoin: data[KEYS.rejoin],
      joining: member === undefined || since === undefined ? undefined : { member, since },
    };
  }
}

/** Whether another attempt makes sense at once, after reading again. */
export const isRace = (error: unknown): boolean => isPlatformError(error, 'STALE') || isPlatformError(error, 'CONFLICT');

const OURS: ReadonlySet<string> = new Set(Object.values(KEYS));

function dataOf({ id, phase, claim, certificates, announcedAt, volumes, rejoin, joining }: Cluster): Record<string, string> {
  const sorted = Object.fromEntries(Object.entries(volumes).sort(([a], [b]) => a.localeCompare(b)));
  return {
    [KEYS.cluster]: id,
    [KEYS.phase]: phase,
    [KEYS.claimMember]: claim.member,
    [KEYS.claimVolume]: claim.volume,
    [KEYS.certificates]: certificates,
    [KEYS.volumes]: JSON.stringify(sorted),
    ...(announcedAt === undefined ? {} : { [KEYS.announcedAt]: announcedAt }),
    ...(rejoin === undefined ? {} : { [KEYS.rejoin]: rejoin }),
    ...(joining === undefined ? {} : { [KEYS.joiningMember]: joining.member, [KEYS.joiningSince]: joining.since }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says that it is no map.
    return undefined;
  }
}
