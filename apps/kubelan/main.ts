import { type KubelanConfig, kubelanConfigSchema } from '#libs/config/kubelan.js';
import { loadConfig, readConfig } from '#libs/config/load.js';
import { createLogger } from '#libs/logging/logger.js';
import { runKubelan } from './run-kubelan.js';

const request = { name: 'kubelan', schema: kubelanConfigSchema, argv: process.argv.slice(2), env: process.env };
const config = loadConfig(request);
const read = (): KubelanConfig => {
  const answer = readConfig(request);
  return answer.kind === 'config' ? answer.config : config;
};
await runKubelan(config, { read, env: process.env, log: createLogger({ name: 'kubelan', level: config.log.level }) });
process.exit(0);
