import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { KubelanConfig } from '#libs/config/kubelan.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { localTools } from '#libs/linux/tools.js';
import { startKubelan } from './start-kubelan.js';

/** A ConfigMap in a pod changes by a link that is replaced: its content is read, nothing is watched. */
const CONFIG_EVERY_MS = 1_000;

export interface Outside {
  /** The configuration as it is written now. @throws when it cannot be used. */
  readonly read: () => KubelanConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/**
 * Keeps this pod on the LAN until SIGTERM. A changed configuration is taken over without a new process: the interface is adopted, and only what
 * differs is changed. One that cannot be used is told, and the last one stays in force.
 */
export async function runKubelan(first: KubelanConfig, { read, env, log }: Outside): Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  let config = first;
  let refused: string | undefined;
  const warnings = () => (refused === undefined ? {} : { config: refused });

  while (!stopping.signal.aborted) {
    const kube = new KubernetesClient(config.kubernetes);
    const running = await startKubelan({ config, kube, run: localTools(), env, log, warnings });
    const next = await changed(config);
    await running.close(next === undefined && !config.keepInterface ? 'remove' : 'keep');
    await kube.close();
    config = next ?? config;
    if (next) log.info('the configuration has changed');
  }
  log.info({ interface: config.keepInterface ? 'stays' : 'removed' }, 'kubelan ended');

  /** The next other configuration; undefined when the process is to end. */
  async function changed(now: KubelanConfig): Promise<KubelanConfig | undefined> {
    const before = JSON.stringify(now);
    while (!stopping.signal.aborted) {
      await Promise.race([delay(CONFIG_EVERY_MS, undefined, { ref: false }), stopped]);
      try {
        const next = read();
        refused = undefined;
        if (JSON.stringify(next) !== before) return stopping.signal.aborted ? undefined : next;
      } catch (error) {
        if (refused === undefined) log.error({ error: messageOf(error) }, 'the changed configuration cannot be used');
        refused = messageOf(error);
      }
    }
    return undefined;
  }
}
