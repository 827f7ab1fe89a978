import { loadConfig } from '#libs/config/load.js';
import { lxd8sConfigSchema } from '#libs/config/lxd8s.js';
import { createLogger } from '#libs/logging/logger.js';
import { runLxd8s } from './run-lxd8s.js';

const config = loadConfig({ name: 'lxd8s', schema: lxd8sConfigSchema, argv: process.argv.slice(2), env: process.env });
await runLxd8s(config, createLogger({ name: 'lxd8s', level: config.log.level }));
process.exit(0);
