import { once } from 'node:events';
import type { Logger } from 'pino';
import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { rangeSize } from '#libs/domain/addresses.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { Leader } from '#libs/kubernetes/leader.js';
import { localTools } from '#libs/linux/tools.js';
import { startHealthServer } from '#libs/service/health-server.js';
import { dnsmasqFiles, readIfThere } from './dnsmasq/files.js';
import { parseLeases } from './dnsmasq/leases.js';
import { Dnsmasq } from './dnsmasq/supervisor.js';
import { LanLink } from './link.js';
import { createMetrics } from './metrics.js';
import { Router } from './router.js';
import { Rules } from './rules/rules.js';
import { identityOf } from './standby/identity.js';
import { LeaseCopy } from './standby/lease-copy.js';
import { statusAnswers } from './status.js';
import { followWebspaces } from './webspaces.js';

/** A request to Kubernetes that takes longer counts as failed: a Lease must be renewed in time. */
const KUBERNETES_TIMEOUT_MS = 2_000;
const LEASE = 'webspaces-kuberouter';

/** Routes until SIGTERM. Starts while Kubernetes or the LAN's interface are away, with what it knew before. */
export async function runKuberouter(config: KuberouterConfig, log: Logger): Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

  const kube = new KubernetesClient({ ...config.kubernetes, timeoutMs: KUBERNETES_TIMEOUT_MS });
  const run = localTools();
  const files = dnsmasqFiles(config.stateFolder);
  const identity = identityOf(files, config.standby.podName);
  const webspaces = followWebspaces({ kube, log, onChange: () => router.wake() });
  const dnsmasq = new Dnsmasq({ files, run, log, onEnd: () => router.wake() });
  const rules = new Rules(run, config);
  const router = new Router({
    config,
    files,
    webspaces,
    rules,
    link: new LanLink(run, config.lan),
    dnsmasq,
    leaseCopy: config.standby.enabled ? new LeaseCopy({ kube, files, identity, standby: config.standby }) : undefined,
    // Debian's package makes this user.
    user: /^dnsmasq:/m.test(readIfThere('/etc/passwd') ?? '') ? 'dnsmasq' : undefined,
    log,
  });
  const leader = new Leader({
    kube,
    lease: LEASE,
    identity,
    leaseSeconds: config.standby.leaseSeconds,
    log,
    onActive: () => router.activate(),
    onStandby: () => router.standBy(),
  });
  const registry = createMetrics({
    active: () => router.active,
    reservations: () => router.served.reservations.length,
    conflicts: () => router.served.conflicts.length,
    leases: () => parseLeases(readIfThere(files.leases) ?? '').filter(({ expires }) => expires > 0).length,
    poolSize: () => rangeSize(config.lan.ipv4.pool),
    dnsmasq: () => ({ running: dnsmasq.running, ...dnsmasq.counts }),
    counts: () => rules.counts(),
  });
  webspaces.start();
  router.wake();
  if (config.standby.enabled) leader.start();
  else void router.activate();
  const server = await startHealthServer(config.listen, () => notReady(router, webspaces), registry, {
    further: statusAnswers(router, dnsmasq),
    warnings: () => ({ ...router.problems.of('leases'), ...conflictsOf(router) }),
  });
  log.info({ interface: config.lan.interface, identity }, 'kuberouter runs');

  await stopped;
  webspaces.stop();
  // A standby takes over at once; without one the kernel goes on with what it has until the next start.
  await router.end({ keepAddresses: !config.standby.enabled });
  if (config.standby.enabled) await leader.release();
  server.close();
  await kube.close();
  log.info('kuberouter ended');
}

function notReady(router: Router, webspaces: { readonly synced: boolean }): Record<string, string> {
  return {
    ...(webspaces.synced ? {} : { kubernetes: 'The webspaces have not been read yet.' }),
    ...(router.settled ? {} : { router: 'Not everything has been brought in step yet.' }),
    ...router.problems.of('rules', 'forwarding', 'interface', 'dnsmasq'),
  };
}

function conflictsOf({ served }: Router): Record<string, string> {
  return Object.fromEntries(served.conflicts.map(({ name, address, reason }) => [name, `${address} is not reserved: ${reason}.`]));
}
