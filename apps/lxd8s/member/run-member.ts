import { once } from 'node:events';
import { join } from 'node:path';
import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import type { Logger } from '#libs/logging/logger.js';
import { OwnMember } from '#libs/lxd/own-member.js';
import { systemClock } from '../clock.js';
import { LxdWatch } from '../lxd-watch.js';
import { admit } from './cluster/admit.js';
import { identifyBy } from './cluster/identity.js';
import { JoinServer } from './cluster/join-server.js';
import { KeepCluster } from './cluster/keep-cluster.js';
import { ClusterRecord } from './cluster/record.js';
import { LeftRunning } from './left-running.js';
import { Member } from './member.js';
import { TellMemory } from './memory/tell-memory.js';
import { createMemberMetrics } from './metrics.js';
import { KeepPreseed } from './preseed/keep-preseed.js';
import { containerRuntime } from './runtime/container.js';
import { LxdKeeper } from './runtime/lxd-keeper.js';
import { VmRuntime } from './runtime/vm/vm.js';
import { startStateServer } from './state-server.js';

export interface Outside {
  /** `LXD_*` of this process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

const KUBERNETES_TIMEOUT_MS = 5_000;
/** Above LXD's own time-outs. */
const LXD_TIMEOUT_MS = 40_000;
const READY_TIMEOUT_MS = 2_000;

/** Runs the member until SIGTERM or SIGINT, and ends it in order then. */
export async function runMember(config: Lxd8sMemberConfig, { environment, log }: Outside): Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const kube = new KubernetesClient({ ...config.kubernetes, timeoutMs: KUBERNETES_TIMEOUT_MS });
  const { folder } = config.lxd;
  const socket = join(folder, 'unix.socket');
  const lxd = new OwnMember({ socket, timeoutMs: LXD_TIMEOUT_MS });
  const record = new ClusterRecord(kube, config.statefulSet);
  const runtime = config.runtime === 'vm' ? new VmRuntime({ config, environment, log }) : containerRuntime({ folder, environment, log });
  const keeper = new LxdKeeper({ runtime, log, pauseSeconds: config.lxd.restartSeconds });
  const { listen, audience } = config.join;
  const identify = identifyBy({ kube, namespace: config.kubernetes.namespace, statefulSet: config.statefulSet, audience });
  const joins = new JoinServer({
    listen,
    folder,
    identify,
    log,
    admit: (member, volume) => admit(member, volume, { lxd, record, folder, log }),
  });
  const preseed =
    config.preseedFile === undefined
      ? undefined
      : new KeepPreseed({ file: config.preseedFile, storage: config.runtime === 'vm' ? undefined : config.volumes.storage, lxd, log });
  const memory =
    config.memory &&
    new TellMemory({ member: config.member, minFreeBytes: config.memory.minFreeBytes, lxd, log, read: () => runtime.memory() });
  const cluster = new KeepCluster({ config, lxd, record, joins, preseed, log });
  const watch = new LxdWatch({ socket, timeoutMs: READY_TIMEOUT_MS, clock: systemClock });
  const leftRunning = new LeftRunning({ folder, member: config.member, log, againMs: config.everySeconds * 1000 });
  const member = new Member({ config, runtime, keeper, watch, lxd, leftRunning, record, cluster, preseed, memory, log });
  const state = () => member.state();
  const server = await startStateServer(config, state, createMemberMetrics(state));
  log.info({ port: server.port, member: config.member, statefulSet: config.statefulSet }, 'lxd8s-member runs');
  const running = member.run();
  await stopped;
  await member.stop();
  await running;
  await server.close();
  await kube.close();
  log.info('lxd8s-member ended');
}
