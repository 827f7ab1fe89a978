import { gatewayConfigSchema } from '#libs/config/gateway.js';
import { loadConfig } from '#libs/config/load.js';
import { createLogger } from '#libs/logging/logger.js';
import { runGateway } from './run-gateway.js';

const config = loadConfig({ name: 'gateway', schema: gatewayConfigSchema, argv: process.argv.slice(2), env: process.env });
await runGateway(config, createLogger({ name: `gateway-${config.role}`, level: config.log.level }));
process.exit(0);
