import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { KindName } from '#libs/contracts/kubernetes-objects.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { KubernetesClient, WatchChange } from './client.js';

const RETRY_MS = 1_000;

export interface Follower {
  readonly kind: KindName;
  readonly labelSelector: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Anything may have changed: at the beginning (`first`) and after every loss of the watch. What changes from then on is told. */
  resync(first: boolean): Promise<void>;
  onChange(change: WatchChange): void;
}

/** Follows the objects of a kind until the signal; a lost or expired watch is begun again, with a resync, and said once. */
export async function follow(kube: KubernetesClient, { kind, labelSelector, signal, log, resync, onChange }: Follower): Promise<void> {
  let from: string | undefined;
  let first = true;
  let said = false;
  while (!signal.aborted) {
    try {
      if (from === undefined) {
        from = await kube.versionOf(kind, { signal });
        await resync(first);
        first = false;
        said = false;
      }
      from = await kube.watch(kind, { from, labelSelector, signal }, onChange);
    } catch (error) {
      if (signal.aborted) return;
      if (!said) log.warn({ kind, error: messageOf(error) }, 'watch lost, trying again');
      said = true;
      from = undefined;
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
