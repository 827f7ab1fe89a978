import 'reflect-metadata';
import { type ApiConfig, apiConfigSchema } from '#libs/config/api.js';
import { loadConfig } from '#libs/config/load.js';
import { readSecretFile } from '#libs/config/secret-file.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { createIdentity } from '#libs/identity/create-identity.js';
import { Staging } from '#libs/images/staging.js';
import { createLogger, type Logger } from '#libs/logging/logger.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { sealingFromFile } from '#libs/sealing/sealing.js';
import { createTemporalClient } from '#libs/temporal/connection.js';
import { createOperations } from '#libs/temporal/create-operations.js';
import { createApp } from './app.js';
import type { ApiDependencies } from './dependencies.js';
import { createMetrics } from './metrics/metrics.js';
import { knownAccounts } from './reads/known-accounts.js';

const config: ApiConfig = loadConfig({ name: 'api', schema: apiConfigSchema, argv: process.argv.slice(2), env: process.env });
const logger = createLogger({ name: 'api', level: config.log.level });

function createDependencies(): ApiDependencies {
  const metrics = createMetrics();
  const operations = createOperations({
    ...createTemporalClient(config.temporal),
    uiUrl: config.temporal.uiUrl,
    callTimeoutMs: config.limits.temporalTimeoutMs,
    queryTimeoutMs: config.limits.queryTimeoutMs,
    observe: metrics.temporalCall,
  });
  const lxd = createLxdClient(config.lxd);
  const known = knownAccounts(lxd, { instancePrefix: config.platform.instancePrefix, timeoutMs: config.limits.lxdTimeoutMs });
  return {
    config,
    logger,
    metrics,
    operations,
    lxd,
    identity: createIdentity(config.identity, known),
    sealing: sealingFromFile(config.sealing),
    staging: new Staging({ folder: config.images.stagingFolder, limitBytes: config.images.stagingBytes }),
    webhookSecret: config.images.webhookSecretFile === undefined ? undefined : readSecretFile(config.images.webhookSecretFile),
  };
}

async function run(): Promise<void> {
  const dependencies = createDependencies();
  const app = await createApp(dependencies);
  await app.listen(config.listen.port, config.listen.host);
  logger.info({ listen: config.listen, publicUrl: config.publicUrl }, 'the API is ready to be asked');

  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping: requests under way may finish');
    setTimeout(() => end(logger, 0), config.limits.shutdownSeconds * 1000).unref();
    app
      .close()
      .then(() => Promise.all([dependencies.operations.close(), dependencies.lxd.close()]))
      .then(() => end(logger, 0))
      .catch((error: unknown) => {
        logger.error({ err: error }, 'stopping went wrong');
        end(logger, 1);
      });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function end(log: Logger, code: number): never {
  log.flush();
  process.exit(code);
}

run().catch((error: unknown) => {
  logger.fatal({ err: error }, `the API cannot start: ${messageOf(error)}`);
  end(logger, 1);
});
