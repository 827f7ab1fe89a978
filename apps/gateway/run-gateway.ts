import { once } from 'node:events';
import type { Logger } from 'pino';
import type { GatewayConfig } from '#libs/config/gateway.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { startHealthServer } from '#libs/service/health-server.js';
import { createTemporalClient } from '#libs/temporal/connection.js';
import { createOperations } from '#libs/temporal/create-operations.js';
import { Boots } from './boots.js';
import { Directory } from './directory.js';
import { createMetrics } from './metrics.js';
import type { Parts, Role } from './role.js';

/** The role's own code is loaded only where it runs. */
const ROLES: Record<GatewayConfig['role'], () => Promise<(parts: Parts) => Promise<Role>>> = {
  http: async () => (await import('./http/role.js')).startHttp,
  ports: async () => (await import('./ports/role.js')).startPorts,
};

/** Serves visitors of webspaces that are off until SIGTERM, then drains. Starts while Temporal or Kubernetes are away and says so at /health/ready. */
export async function runGateway(config: GatewayConfig, log: Logger): Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

  const metrics = createMetrics();
  const kube = new KubernetesClient(config.kubernetes);
  const { client, connection } = createTemporalClient(config.temporal);
  const { temporalTimeoutMs, shutdownSeconds } = config.limits;
  const { uiUrl } = config.temporal;
  const operations = createOperations({ client, connection, uiUrl, callTimeoutMs: temporalTimeoutMs, queryTimeoutMs: temporalTimeoutMs });
  const { holdSeconds, backOffSeconds, backOffMaxSeconds } = config.boot;
  const directory = new Directory({ kube, log });
  const boots = new Boots({
    operations,
    view: (name) => directory.get(name),
    log,
    holdMs: holdSeconds * 1000,
    backOffMs: backOffSeconds * 1000,
    backOffMaxMs: backOffMaxSeconds * 1000,
    onBoot: metrics.boot,
  });
  directory.start();
  const start = await ROLES[config.role]();
  const role = await start({ config, directory, boots, kube, metrics, log });
  const server = await startHealthServer(
    config.listen,
    () => ({ ...(directory.synced ? {} : { kubernetes: 'The webspaces have not been read yet.' }), ...role.notReady() }),
    metrics.registry,
    { further: role.answers, warnings: () => role.warnings?.() ?? {} },
  );
  log.info({ role: config.role }, 'gateway runs');

  await stopped;
  log.info('gateway ends when its visitors have gone');
  await role.drain(shutdownSeconds * 1000);
  directory.stop();
  server.close();
  await Promise.allSettled([operations.close(), kube.close()]);
  log.info('gateway ended');
}
