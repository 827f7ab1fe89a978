import { once } from 'node:events';
import type { Logger } from 'pino';
import type { Lxd8sConfig } from '#libs/config/lxd8s.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { startPorts } from './ports/run-ports.js';
import { startProbes } from './start-probes.js';

/** A request to Kubernetes that takes longer tells nothing that a probe could wait for. */
const KUBERNETES_TIMEOUT_MS = 5_000;

/** Answers the probes of one LXD member and guards its ports until SIGTERM. Starts while LXD and Kubernetes are away. */
export async function runLxd8s(config: Lxd8sConfig, log: Logger): Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const kube = new KubernetesClient({ ...config.kubernetes, timeoutMs: KUBERNETES_TIMEOUT_MS });
  const ports = startPorts(config, log);
  const probes = await startProbes({ config, kube, log, ports });
  log.info({ port: probes.port, socket: config.lxd.socket, statefulSet: config.statefulSet }, 'lxd8s runs');
  await stopped;
  await Promise.all([probes.close(), ports?.close()]);
  await kube.close();
  log.info('lxd8s ended');
}
