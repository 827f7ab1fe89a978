import { kuberouterConfigSchema } from '#libs/config/kuberouter.js';
import { loadConfig } from '#libs/config/load.js';
import { createLogger } from '#libs/logging/logger.js';
import { runKuberouter } from './run-kuberouter.js';

const config = loadConfig({ name: 'kuberouter', schema: kuberouterConfigSchema, argv: process.argv.slice(2), env: process.env });
await runKuberouter(config, createLogger({ name: 'kuberouter', level: config.log.level }));
process.exit(0);
