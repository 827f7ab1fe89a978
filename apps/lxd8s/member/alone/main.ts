import { loadConfig } from '#libs/config/load.js';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { createLogger } from '#libs/logging/logger.js';
import { runAlone } from './run-alone.js';

/** `lxd8s alone`: LXD of this image in a machine of its own, of no cluster; for a throw-away pod whose versions are read. Its name is no member's. */
const argv = [...process.argv.slice(2), '--member', 'alone-0'];
const config = loadConfig({ name: 'lxd8s alone', schema: lxd8sMemberConfigSchema, argv, env: process.env });
const ofLxd = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('LXD_')));
process.exit(await runAlone(config, { environment: ofLxd, log: createLogger({ name: 'lxd8s-alone', level: config.log.level }) }));
