import { API_GROUP, PORTS_GATEWAY } from '#libs/contracts/webspaces-api.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

const KEY = `${API_GROUP}/ports` as const;
const NAME = 'app.kubernetes.io/name' as const;

/** Gives the pod the label by which the Services of forwarded ports find it, and takes it from every other pod of ours when `alone`. */
export async function labelPod(kube: KubernetesClient, podName: string, { alone }: { readonly alone: boolean }): Promise<void> {
  await kube.apply('pod', { metadata: { name: podName, labels: { [KEY]: PORTS_GATEWAY[KEY] } } });
  if (!alone) return;
  const labelSelector = `${NAME}=${PORTS_GATEWAY[NAME]},${KEY}=${PORTS_GATEWAY[KEY]}`;
  const others = (await kube.list('pod', { labelSelector })).filter(({ metadata }) => metadata.name !== podName);
  await Promise.all(others.map(({ metadata }) => unlabelPod(kube, metadata.name)));
}

/** Server-side apply takes away the field that an earlier one of the same manager set. */
export async function unlabelPod(kube: KubernetesClient, podName: string): Promise<void> {
  await kube.apply('pod', { metadata: { name: podName, labels: {} } });
}
