import { loadConfig } from '#libs/config/load.js';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { createLogger } from '#libs/logging/logger.js';
import { runMember } from './run-member.js';

const config = loadConfig({ name: 'lxd8s-member', schema: lxd8sMemberConfigSchema, argv: process.argv.slice(2), env: process.env });
const ofLxd = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('LXD_')));
await runMember(config, { environment: ofLxd, log: createLogger({ name: 'lxd8s-member', level: config.log.level }) });
process.exit(0);
