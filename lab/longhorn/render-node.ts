import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { Node } from './cluster.js';
import { faultIn } from './faults.js';
import type { Rendered } from './render.js';

/** Longhorn's own Node beside that of Kubernetes; its disk is full where a volume has the fault that says so. */
export function renderNode({ name, schedulable }: Node, volumes: readonly StoredObject[]): Rendered {
  const full = volumes.some(({ metadata, ...volume }) => {
    const { nodeID } = (volume['spec'] ?? {}) as { nodeID?: string };
    return nodeID === name && faultIn(metadata.annotations) === 'no-local-space';
  });
  const pressure = { status: 'False', reason: 'DiskPressure', message: `the disk of ${name} has no room for another replica` };
  const cordoned = { status: 'False', reason: 'KubernetesNodeCordoned', message: `node ${name} is cordoned` };
  const good = { status: 'True', reason: '', message: '' };
  const conditions = [
    { type: 'Ready', ...good },
    { type: 'Schedulable', ...(schedulable === 'yes' ? good : cordoned) },
  ];
  const disk = { type: 'Schedulable', ...(full ? pressure : good) };
  return {
    kind: 'longhornNode',
    object: {
      metadata: { name, annotations: { 'simulator.webspaces.ie/by': 'lab/longhorn: a simulator. There is no Longhorn, and no data.' } },
      spec: { name, allowScheduling: true },
      status: { conditions, diskStatus: { simulated: { conditions: [{ type: 'Ready', ...good }, disk] } } },
    },
  };
}
