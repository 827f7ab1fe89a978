import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { loadConfig } from '#libs/config/load.js';
import { workerConfigSchema } from '#libs/config/worker.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { createLogger } from '#libs/logging/logger.js';
import { createTemporalClient, temporalTls } from '#libs/temporal/connection.js';
import { assemble } from './assemble.js';
import { EventListener } from './event-listener.js';
import { startHealthServer } from './health-server.js';
import { createMetrics } from './metrics.js';
import { TemporalTasks } from './temporal-tasks.js';

const RETRY_MS = 1_000;
const INSTALL_CHECK_MS = 15_000;

const config = loadConfig({ name: 'worker', schema: workerConfigSchema, argv: process.argv.slice(2), env: process.env });
const log = createLogger({ name: 'worker', level: config.log.level });
Runtime.install({
  logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
    const { error, ...fields } = meta ?? {};
    const text = error instanceof Error ? { error: error.message } : {};
    log[level === 'TRACE' || level === 'DEBUG' ? 'debug' : level === 'INFO' ? 'info' : level === 'WARN' ? 'warn' : 'error'](
      { ...fields, ...text },
      message,
    );
  }),
  shutdownSignals: ['SIGINT', 'SIGTERM'],
});

const metrics = createMetrics();
const { client } = createTemporalClient(config.temporal);
const tasks = new TemporalTasks(client, config.temporal.namespace, config.sweep.intervalSeconds);
const { deps, activities } = assemble(config, client, log, metrics.sweep);
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

let worker: Worker | undefined;
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    stopping = true;
  });

const server = await startHealthServer(
  config.listen,
  () => ({
    ...(worker?.getState() === 'RUNNING'
      ? {}
      : { temporal: `The worker is ${worker?.getState() ?? 'connecting to'} Temporal at ${config.temporal.address}.` }),
    ...(listener.connected ? {} : { lxd: 'The stream of LXD events is not connected.' }),
  }),
  metrics.registry,
);
listener.start();

/** The Schedule is looked after for as long as the process lives: Temporal may lose its database. */
async function keepInstalled(): Promise<void> {
  try {
    await tasks.ensureInstalled();
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'Schedule and search attributes could not be checked');
  }
}
const installTimer = setInterval(keepInstalled, INSTALL_CHECK_MS);

while (!stopping) {
  try {
    const tls = temporalTls(config.temporal);
    const connection = await NativeConnection.connect({ address: config.temporal.address, ...(tls ? { tls } : {}) });
    await keepInstalled();
    worker = await Worker.create({
      connection,
      namespace: config.temporal.namespace,
      taskQueue: TASK_QUEUE,
      workflowBundle: { codePath: fileURLToPath(new URL('../../workflows/bundle.cjs', import.meta.url)) },
      activities: { ...activities },
      maxConcurrentActivityTaskExecutions: 100,
      // A cancellation reaches an activity with its heartbeat: within a second or two.
      maxHeartbeatThrottleInterval: '1 second',
      defaultHeartbeatThrottleInterval: '1 second',
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
listener.stop();
server.close();
await Promise.allSettled([deps.lxd.close(), deps.kube.close(), client.connection.close()]);
log.info('worker ended');
process.exit(0);
