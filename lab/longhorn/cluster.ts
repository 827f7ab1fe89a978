import { z } from 'zod';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

export interface Pod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly phase: string;
  readonly claims: readonly string[];
  readonly workload?: { readonly kind: string; readonly name: string };
}

export interface Claim {
  readonly name: string;
  readonly persistentVolume: string;
  readonly sizeBytes: number;
}

export interface Node {
  readonly name: string;
  readonly schedulable: 'yes' | 'no';
}

const podSchema = z.object({
  spec: z.object({
    nodeName: z.string().default(''),
    volumes: z.array(z.object({ persistentVolumeClaim: z.object({ claimName: z.string() }).optional() })).default([]),
  }),
  status: z.object({ phase: z.string().default('Pending') }).default({ phase: 'Pending' }),
});
const storage = z.object({ storage: z.string() }).partial();
const claimSchema = z.object({
  spec: z.object({ volumeName: z.string().default(''), resources: z.object({ requests: storage.default({}) }).default({ requests: {} }) }),
});
const nodeSchema = z.object({ spec: z.object({ unschedulable: z.boolean().default(false) }).default({ unschedulable: false }) });

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
};

/** The pods of the namespace that have not ended. */
export async function readPods(kube: KubernetesClient): Promise<Pod[]> {
  const pods = (await kube.list('wholePod')).map((object): Pod => {
    const { spec, status } = podSchema.parse(object);
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller);
    return {
      name: object.metadata.name,
      uid: object.metadata.uid,
      node: spec.nodeName,
      phase: status.phase,
      claims: spec.volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []),
      ...(owner ? { workload: { kind: owner.kind, name: owner.name } } : {}),
    };
  });
  return pods.filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed');
}

/** The claims of the namespace that are bound. */
export async function readClaims(kube: KubernetesClient): Promise<Claim[]> {
  return (await kube.list('persistentVolumeClaim')).flatMap((object) => {
    const { spec } = claimSchema.parse(object);
    if (spec.volumeName === '') return [];
    const sizeBytes = bytesOf(spec.resources.requests.storage ?? '1Gi');
    return [{ name: object.metadata.name, persistentVolume: spec.volumeName, sizeBytes }];
  });
}

/** In the order of their names. */
export async function readNodes(kube: KubernetesClient): Promise<Node[]> {
  const nodes = (await kube.list('node')).map((object): Node => {
    const { spec } = nodeSchema.parse(object);
    return { name: object.metadata.name, schedulable: spec.unschedulable ? 'no' : 'yes' };
  });
  return nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `5Gi` → bytes. */
function bytesOf(quantity: string): number {
  const [, number = '0', unit = ''] = /^([\d.]+)([A-Za-z]*)$/.exec(quantity) ?? [];
  return Math.round(Number(number) * (UNITS[unit] ?? 1));
}
