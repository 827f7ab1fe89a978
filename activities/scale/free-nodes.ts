import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { ObservedScale } from '#libs/domain/scale/observed.js';
import type { ObservedPod } from '#libs/domain/upgrade/observed.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { parseStatefulSet } from '../upgrade/objects.js';

const HOSTNAME = 'kubernetes.io/hostname';

const expression = z.looseObject({ key: z.string(), operator: z.string(), values: z.array(z.string()).default([]) });
type Expression = z.output<typeof expression>;

const placement = z.looseObject({
  nodeSelector: z.record(z.string(), z.string()).default({}),
  tolerations: z.array(z.looseObject({ key: z.string().optional() })).default([]),
  affinity: z
    .looseObject({
      nodeAffinity: z
        .looseObject({
          requiredDuringSchedulingIgnoredDuringExecution: z
            .looseObject({ nodeSelectorTerms: z.array(z.looseObject({ matchExpressions: z.array(expression).default([]) })) })
            .optional(),
        })
        .prefault({}),
      podAntiAffinity: z
        .looseObject({
          requiredDuringSchedulingIgnoredDuringExecution: z
            .array(
              z.looseObject({
                topologyKey: z.string(),
                labelSelector: z
                  .looseObject({
                    matchLabels: z.record(z.string(), z.string()).default({}),
                    matchExpressions: z.array(expression).default([]),
                  })
                  .prefault({}),
              }),
            )
            .default([]),
        })
        .prefault({}),
    })
    .prefault({}),
});
type Placement = z.output<typeof placement>;

const node = z.looseObject({
  spec: z
    .looseObject({
      unschedulable: z.boolean().default(false),
      taints: z.array(z.looseObject({ key: z.string(), effect: z.string() })).default([]),
    })
    .prefault({}),
  status: z.looseObject({ conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]) }).prefault({}),
});

/**
 * How many more pods of members find a node, as far as labels, taints and cordons tell: room for what they ask for is the scheduler's to say. `any`
 * where several may be on one.
 */
export async function freeNodesOf(
  kube: KubernetesClient,
  { statefulSet, pods }: { readonly statefulSet: StoredObject; readonly pods: readonly ObservedPod[] },
  signal: AbortSignal,
): Promise<ObservedScale['freeNodes']> {
  const { template } = parseStatefulSet(statefulSet).spec;
  const wanted = placement.parse(template.spec);
  const labels = template.metadata.labels;
  const alone = wanted.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.some(
    ({ topologyKey, labelSelector }) =>
      topologyKey === HOSTNAME &&
      Object.entries(labelSelector.matchLabels).every(([key, value]) => labels[key] === value) &&
      labelSelector.matchExpressions.every((one) => matches(labels, one)),
  );
  if (!alone) return 'any';
  const taken = new Set(pods.map((pod) => pod.node));
  return (await kube.list('node', { signal })).filter((object) => takesPod(object, wanted) && !taken.has(object.metadata.name)).length;
}

function takesPod(object: StoredObject, { nodeSelector, tolerations, affinity }: Placement): boolean {
  const { spec, status } = node.parse(object);
  const labels = object.metadata.labels ?? {};
  const ready = status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  const tolerated = spec.taints.every(
    ({ key, effect }) => effect === 'PreferNoSchedule' || tolerations.some((one) => one.key === undefined || one.key === key),
  );
  const selected = Object.entries(nodeSelector).every(([key, value]) => labels[key] === value);
  const terms = affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const drawn = terms === undefined || terms.some(({ matchExpressions }) => matchExpressions.every((one) => matches(labels, one)));
  return ready && !spec.unschedulable && tolerated && selected && drawn;
}

/** An operator that is not known here hinders nothing: the scheduler will tell. */
function matches(labels: Readonly<Record<string, string>>, { key, operator, values }: Expression): boolean {
  const value = labels[key];
  if (operator === 'In') return value !== undefined && values.includes(value);
  if (operator === 'NotIn') return value === undefined || !values.includes(value);
  if (operator === 'Exists') return value !== undefined;
  return operator !== 'DoesNotExist' || value === undefined;
}
