import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { settleAll } from '../shared/settle-all.js';
import type { Cluster } from './deps.js';
import { labelSelectorOf, parsePod } from './objects.js';

const claimSource = z.looseObject({ persistentVolumeClaim: z.object({ claimName: z.string() }).optional() });

/** The objects that a cluster is made of, as they are: StatefulSet, Services, pods, claims and their volumes, the Lease of the probes. */
export async function manifestsOf({ kube, config }: Cluster, signal: AbortSignal): Promise<StoredObject[]> {
  const set = await kube.get('statefulSet', config.statefulSet, { signal });
  const [services, pods, lease] = await settleAll([
    kube.list('service', { signal }),
    kube.list('wholePod', { signal, labelSelector: labelSelectorOf(set) }),
    kube.find('lease', `${config.statefulSet}-upgrade`, { signal }),
  ]);
  const sources = pods.flatMap((pod) =>
    parsePod(pod).spec.volumes.map((volume) => claimSource.parse(volume).persistentVolumeClaim?.claimName),
  );
  const claims = await settleAll(
    [...new Set(sources)].flatMap((name) => (name === undefined ? [] : [kube.find('persistentVolumeClaim', name, { signal })])),
  );
  const volumes = await settleAll(
    claims.flatMap((claim) => {
      const { volumeName } = (claim?.['spec'] ?? {}) as { readonly volumeName?: string };
      return volumeName === undefined ? [] : [kube.find('persistentVolume', volumeName, { signal })];
    }),
  );
  return [set, ...services, ...pods, ...claims, ...volumes, lease].flatMap((object) => object ?? []);
}
