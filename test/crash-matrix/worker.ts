import 'reflect-metadata';
import { runWorker } from '#apps/worker/run-worker.js';
import { loadConfig } from '#libs/config/load.js';
import { workerConfigSchema } from '#libs/config/worker.js';
import { createLogger } from '#libs/logging/logger.js';
import { TrappedActivities } from './trapped-activities.js';
import { TrapFolder } from './traps.js';

// The worker as it ships, with traps around its activities.
const { WEBSPACES_TRAPS: folder, ...env } = process.env;
if (!folder) throw new Error('WEBSPACES_TRAPS must name the folder of the traps.');
const traps = new TrappedActivities(new TrapFolder(folder));
const config = loadConfig({ name: 'worker', schema: workerConfigSchema, argv: process.argv.slice(2), env });
await runWorker(config, createLogger({ name: 'worker', level: config.log.level }), (activities) => traps.decorate(activities));
process.exit(0);
