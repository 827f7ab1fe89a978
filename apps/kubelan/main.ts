import { configOfFile } from '#libs/config/config-file.js';
import { kubelanConfigSchema } from '#libs/config/kubelan.js';
import { loadConfig } from '#libs/config/load.js';
import { createLogger } from '#libs/logging/logger.js';
import { runKubelan } from './run-kubelan.js';

const request = { name: 'kubelan', schema: kubelanConfigSchema, argv: process.argv.slice(2), env: process.env };
const config = loadConfig(request);
const log = createLogger({ name: 'kubelan', level: config.log.level });
await runKubelan(config, { read: configOfFile(request, config), env: process.env, log });
process.exit(0);
