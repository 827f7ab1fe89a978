import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { ImageOnNode } from '#libs/domain/upgrade/observed.js';
import type { Cluster } from './deps.js';
import { parsePod } from './objects.js';
import { ofImage, pullPodsOf } from './throw-away.js';

const node = z.looseObject({
  spec: z.looseObject({ unschedulable: z.boolean().default(false) }).prefault({}),
  status: z.looseObject({ images: z.array(z.looseObject({ names: z.array(z.string()).nullish() })).nullish() }).prefault({}),
});

/** The kubelet goes on trying; but a word of these says that it had no luck. */
const NO_LUCK: ReadonlySet<string> = new Set(['ErrImageNeverPull', 'ImagePullBackOff', 'InvalidImageName', 'ImageInspectError']);

export interface OnNodes {
  readonly images: readonly ImageOnNode[];
  /** Those that take no new pods. */
  readonly cordoned: readonly string[];
}

/**
 * Whether each node takes pods, and has the image, by what the node says of itself and by the throw-away pods that have it pulled: a node names its fifty
 * largest images only.
 */
export async function lookAtNodes(cluster: Cluster, image: string, nodes: readonly string[], signal: AbortSignal): Promise<OnNodes> {
  if (nodes.length === 0) return { images: [], cordoned: [] };
  const [found, pods] = await Promise.all([
    Promise.all(nodes.map((name) => cluster.kube.find('node', name, { signal }))),
    pullPodsOf(cluster, signal),
  ]);
  const images = nodes.map((name, index): ImageOnNode => {
    const object = found[index];
    if (!object) return { node: name, state: 'absent', message: `there is no node ${name}` };
    if (has(object, image)) return { node: name, state: 'present' };
    const pod = pods.find((one) => ofImage(one, image) && parsePod(one).spec.nodeName === name);
    return pod ? pulledBy(pod, name) : { node: name, state: 'absent' };
  });
  const takesNone = (object: StoredObject | undefined) => object !== undefined && node.parse(object).spec.unschedulable;
  return { images, cordoned: nodes.filter((_name, index) => takesNone(found[index])) };
}

function has(object: StoredObject, image: string): boolean {
  const { status } = node.parse(object);
  const wanted = fullName(image);
  return (status.images ?? []).some(({ names }) => (names ?? []).some((name) => fullName(name) === wanted));
}

function pulledBy(pod: StoredObject, name: string): ImageOnNode {
  const [state] = parsePod(pod).status.containerStatuses;
  if (!state) return { node: name, state: 'absent' };
  const waits = state.state.waiting;
  if (waits && NO_LUCK.has(waits.reason))
    return { node: name, state: 'failed', message: `${waits.reason}: ${waits.message || 'no message'}` };
  if (state.imageID !== '' || state.state.running || state.state.terminated) return { node: name, state: 'present' };
  return { node: name, state: 'absent', ...(waits ? { message: `${waits.reason} ${waits.message}`.trim() } : {}) };
}

/** As container runtimes write it: `lxd:5` is `docker.io/library/lxd:5`. */
export function fullName(image: string): string {
  const [path = '', digest] = image.split('@');
  const tagged = digest !== undefined || /:[^/]+$/.test(path) ? path : `${path}:latest`;
  const first = tagged.split('/')[0] ?? '';
  const hosted = tagged.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const full = hosted ? tagged : `docker.io/${tagged.includes('/') ? '' : 'library/'}${tagged}`;
  return digest === undefined ? full : `${full}@${digest}`;
}
