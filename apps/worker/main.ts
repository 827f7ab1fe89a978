import 'reflect-metadata';
import { loadConfig } from '#libs/config/load.js';
import { workerConfigSchema } from '#libs/config/worker.js';
import { createLogger } from '#libs/logging/logger.js';
import { runWorker } from './run-worker.js';

const config = loadConfig({ name: 'worker', schema: workerConfigSchema, argv: process.argv.slice(2), env: process.env });
await runWorker(config, createLogger({ name: 'worker', level: config.log.level }));
process.exit(0);
