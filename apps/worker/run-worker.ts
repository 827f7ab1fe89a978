import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { WorkerConfig } from '#libs/config/worker.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { startHealthServer } from '#libs/service/health-server.js';
import { createTemporalClient, temporalTls } from '#libs/temporal/connection.js';
import { type Activities, assemble } from './assemble.js';
import { CertificateWatch } from './certificate-watch.js';
import { EventListener } from './event-listener.js';
import { createMetrics } from './metrics.js';
import { schedulesOf } from './schedules.js';
import { TemporalTasks } from './temporal-tasks.js';

const RETRY_MS = 1_000;
const INSTALL_CHECK_MS = 15_000;
const WORKFLOW_BUNDLE = fileURLToPath(new URL('../../workflows/bundle.cjs', import.meta.url));

/** Temporal's own log goes where ours goes; task tokens say nothing to a reader. */
function installRuntime(log: Logger): void {
  const logger = new DefaultLogger('INFO', ({ level, message, meta }) => {
    const { error, taskToken: _token, sdkComponent: _component, ...fields } = meta ?? {};
    const text = error instanceof Error ? { error: error.message } : {};
    const write = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
    log[write[level]]({ ...fields, ...text }, message);
  });
  Runtime.install({ logger, shutdownSignals: ['SIGINT', 'SIGTERM'] });
}

/**
 * Runs workflows, activities and the listener to LXD's events until SIGTERM. Starts while Temporal, LXD or Kubernetes are away and says so
 * at /health/ready. `decorate` lets the crash tests put their traps around the activities.
 */
export async function runWorker(
  config: WorkerConfig,
  log: Logger,
  decorate: (activities: Activities) => Activities = (activities) => activities,
): Promise<void> {
  installRuntime(log);
  const metrics = createMetrics();
  const { client } = createTemporalClient(config.temporal);
  const tasks = new TemporalTasks(client, config.temporal.namespace, schedulesOf(config));
  const { deps, activities, close } = assemble(config, client, log, metrics.sweep);
  const listener = new EventListener({
    lxd: deps.lxd,
    observer: deps.observer,
    platform: deps.platform,
    log,
    reconcile: (name) => tasks.reconcile(name),
    resync: () => tasks.sweepNow(),
    onLook: metrics.events,
    onConnected: metrics.eventsConnected,
  });
  const certificates = new CertificateWatch({
    kube: deps.kube,
    log,
    look: (name) => listener.look(name),
    resync: () => tasks.sweepNow(),
  });
  let worker: Worker | undefined;
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

  const server = await startHealthServer(
    config.listen,
    () => ({
      ...(worker?.getState() === 'RUNNING' ? {} : { temporal: `The worker does not poll Temporal at ${config.temporal.address}.` }),
      ...(listener.connected ? {} : { lxd: 'The stream of LXD events is not connected.' }),
    }),
    metrics.registry,
  );
  listener.start();
  if (deps.platform.certificateIssuer) certificates.start();
  /** Looked after for as long as the process lives: Temporal may lose its database. */
  const keepInstalled = () =>
    tasks.ensureInstalled().catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'Schedules and search attributes could not be checked');
    });
  const installTimer = setInterval(keepInstalled, INSTALL_CHECK_MS);

  while (!stopping.signal.aborted) {
    try {
      const tls = temporalTls(config.temporal);
      const connection = await NativeConnection.connect({ address: config.temporal.address, ...(tls ? { tls } : {}) });
      await keepInstalled();
      worker = await Worker.create({
        connection,
        namespace: config.temporal.namespace,
        taskQueue: TASK_QUEUE,
        workflowBundle: { codePath: WORKFLOW_BUNDLE },
        activities: { ...decorate(activities) },
        maxConcurrentActivityTaskExecutions: 100,
        // A cancellation reaches an activity with its heartbeat: within a second or two.
        maxHeartbeatThrottleInterval: '1 second',
        defaultHeartbeatThrottleInterval: '1 second',
        // How long a workflow waits for the worker that knew it and has died; another then replays its history, which costs milliseconds.
        stickyQueueScheduleToStartTimeout: '1 second',
        shutdownGraceTime: '5 seconds',
      });
      log.info({ taskQueue: TASK_QUEUE }, 'worker runs');
      await worker.run();
      await connection.close();
    } catch (error) {
      log.error({ error: messageOf(error) }, 'worker stopped, starting it again');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  clearInterval(installTimer);
  certificates.stop();
  listener.stop();
  server.close();
  await close();
  log.info('worker ended');
}
