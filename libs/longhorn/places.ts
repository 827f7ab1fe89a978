import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { parseNode } from './schemas.js';

const GOOD: readonly string[] = ['Ready', 'Schedulable'];

/** What Longhorn says of a node that speaks against a new replica there; empty when nothing does, or the node is not known. */
export function objectionsOf(node: StoredObject | undefined): string[] {
  if (!node) return [];
  const { metadata, spec, status } = parseNode(node);
  const bad = (conditions: typeof status.conditions, where: string) =>
    conditions
      .filter((condition) => GOOD.includes(condition.type) && condition.status === 'False')
      .map(({ type, reason, message }) => `${where} is not ${type} (${[reason, message].filter(Boolean).join(': ')})`);
  return [
    ...(spec.allowScheduling ? [] : [`scheduling is off on node ${metadata.name}`]),
    ...bad(status.conditions, `node ${metadata.name}`),
    ...Object.entries(status.diskStatus).flatMap(([disk, { conditions }]) => bad(conditions, `disk ${disk} of ${metadata.name}`)),
  ];
}
