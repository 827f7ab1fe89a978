import type { Logger } from 'pino';
import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { Mirror } from '#libs/kubernetes/mirror.js';

/** What the router knows of a webspace. */
export interface WebspaceView {
  readonly name: string;
  readonly createdAt: string;
  readonly address: string | undefined;
  /** Claims that its record names and another webspace holds. */
  readonly withheld: readonly string[];
  readonly ports: readonly { readonly protocol: 'tcp' | 'udp'; readonly internal: number }[];
}

/** All webspaces as the cluster says now. */
export function followWebspaces(parts: {
  readonly kube: KubernetesClient;
  readonly log: Logger;
  readonly onChange: () => void;
}): Mirror<WebspaceView> {
  return new Mirror({ ...parts, kind: 'webspace', labelSelector: LABELS.webspace, viewOf });
}

const spec = z.object({
  address: z.string().optional(),
  withheld: z.array(z.string()).default([]),
  ports: z.array(z.object({ protocol: z.enum(['tcp', 'udp']), internal: z.int() })).default([]),
});

/** An object that does not fit counts as a webspace without an address: it keeps others from nothing. */
function viewOf({ metadata: { name, creationTimestamp = '' }, ...object }: StoredObject): WebspaceView {
  const { address, withheld, ports } = spec.safeParse(object['spec']).data ?? { address: undefined, withheld: [], ports: [] };
  return { name, createdAt: creationTimestamp, address, withheld, ports };
}
