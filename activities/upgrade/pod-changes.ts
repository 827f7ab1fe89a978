import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

type Changed = (longestMs: number) => Promise<void>;

/**
 * For a wait that reads again and again: `changed` ends as soon as a pod of the namespace has come or gone since it ended last, and after so long in any
 * case. It says nothing of which one, and without the right to watch, or while the watch is lost, the time alone counts.
 */
export async function whenPodsChange<T>(
  kube: Pick<KubernetesClient, 'versionOf' | 'watch'>,
  signal: AbortSignal,
  wait: (changed: Changed) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const ends = AbortSignal.any([signal, over.signal]);
  let news = new AbortController();
  const watching = follow(kube, ends, () => news.abort());
  try {
    return await wait(async (longestMs) => {
      await pause(longestMs, undefined, { signal: AbortSignal.any([signal, news.signal]) }).catch(() => signal.throwIfAborted());
      news = new AbortController();
    });
  } finally {
    over.abort();
    await watching;
  }
}

async function follow(kube: Pick<KubernetesClient, 'versionOf' | 'watch'>, signal: AbortSignal, onChange: () => void): Promise<void> {
  try {
    let from = await kube.versionOf('wholePod', { signal });
    while (!signal.aborted)
      from = await kube.watch('wholePod', { from, labelSelector: '', signal }, ({ type }) => type !== 'MODIFIED' && onChange());
  } catch {
    // Over, not allowed, or lost: it only wakes, and whoever waits looks by itself, too.
  }
}
