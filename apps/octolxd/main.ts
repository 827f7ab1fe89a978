import { loadConfig } from '#libs/config/load.js';
import { octolxdConfigSchema } from '#libs/config/octolxd.js';
import { createLogger } from '#libs/logging/logger.js';
import { runOctolxd } from './run-octolxd.js';

const config = loadConfig({ name: 'octolxd', schema: octolxdConfigSchema, argv: process.argv.slice(2), env: process.env });
await runOctolxd(config, createLogger({ name: 'octolxd', level: config.log.level }));
process.exit(0);
