import { once } from 'node:events';
import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { Outside } from '../run-member.js';
import { logOfLxd } from '../runtime/lxd-lines.js';
import { VmRuntime } from '../runtime/vm/vm.js';

/** Little, and stated: a throw-away pod has no limits to take a share of. */
const SMALL = { memory: '1GiB', cpus: 1, disk: '2GiB', storageDisk: '1GiB' } as const;
const END_MS = 10_000;

/** A machine as the member's, without the members' network and the member's volumes. Exit code: 0 when it was asked to end, 1 when it ended by itself. */
export async function runAlone(config: Lxd8sMemberConfig, { environment, log }: Outside): Promise<0 | 1> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort').then(() => 0 as const);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const { lan: _lan, ...vm } = config.vm;
  const { storage: _storage, ...volumes } = config.volumes;
  const runtime = new VmRuntime({ config: { ...config, vm: { ...vm, ...SMALL }, volumes }, environment, log });
  try {
    await runtime.prepare(stopping.signal);
    const run = runtime.start(logOfLxd(log));
    return await Promise.race([stopped, run.ended.then(() => 1 as const)]);
  } catch (error) {
    if (stopping.signal.aborted) return 0;
    if (!isPlatformError(error)) throw error;
    log.fatal(messageOf(error));
    return 1;
  } finally {
    await runtime.close(Date.now() + END_MS);
  }
}
