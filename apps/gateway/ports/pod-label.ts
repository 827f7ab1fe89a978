import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { API_GROUP, PORTS_GATEWAY } from '#libs/contracts/webspaces-api.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

const KEY = `${API_GROUP}/ports` as const;
const AGAIN_MS = 1_000;

/** Gives the pod the label by which the Services of forwarded ports find it, and takes it from every other pod of ours when `alone`. */
export async function labelPod(kube: KubernetesClient, podName: string, { alone }: { readonly alone: boolean }): Promise<void> {
  await kube.apply('pod', { metadata: { name: podName, labels: { [KEY]: PORTS_GATEWAY[KEY] } } });
  if (!alone) return;
  const labelSelector = `${KEY}=${PORTS_GATEWAY[KEY]}`;
  const others = (await kube.list('pod', { labelSelector })).filter(({ metadata }) => metadata.name !== podName);
  await Promise.all(others.map(({ metadata }) => unlabelPod(kube, metadata.name)));
}

/** The same beside others, as soon as Kubernetes is there; a failure is said once. Ends with the signal. */
export async function labelPodInTime(
  kube: KubernetesClient,
  podName: string,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
) {
  for (let said = false; !signal.aborted; said = true) {
    try {
      return await labelPod(kube, podName, { alone: false });
    } catch (error) {
      if (!said)
        log.warn(
          { podName, error: messageOf(error) },
          'the pod could not be labelled, trying again: no Service of forwarded ports leads to it yet',
        );
      // Aborted: the loop ends by itself.
      await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Server-side apply takes away the field that an earlier one of the same manager set. */
export async function unlabelPod(kube: KubernetesClient, podName: string): Promise<void> {
  await kube.apply('pod', { metadata: { name: podName, labels: {} } });
}
