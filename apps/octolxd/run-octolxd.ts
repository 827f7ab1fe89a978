import { once } from 'node:events';
import type { Logger } from 'pino';
import type { OctolxdConfig } from '#libs/config/octolxd.js';
import { createGithub } from '#libs/github/create-github.js';
import { startOctolxd } from './start-octolxd.js';

/** Serves images until SIGTERM, then answers what was asked and ends. Starts while GitHub is away. */
export async function runOctolxd(config: OctolxdConfig, log: Logger): Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const octolxd = await startOctolxd({ config, github: createGithub(config.github), log });
  log.info({ port: octolxd.port, allow: config.allowAny ? 'any' : config.allow }, 'octolxd runs');
  await stopped;
  await octolxd.close();
  log.info('octolxd ended');
}
