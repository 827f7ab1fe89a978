import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Leader } from '#libs/kubernetes/leader.js';
import { LeaseFollower } from '#libs/kubernetes/lease-follower.js';
import { localTools } from '#libs/linux/tools.js';
import type { Parts, Role } from '../role.js';
import { Waiting } from '../waiting.js';
import { Descriptors, openFilesLimit } from './descriptors.js';
import { Forwarder } from './forwarder.js';
import { Kernel } from './kernel.js';
import { Listeners } from './listeners.js';
import { createPortsMetrics } from './metrics.js';
import { labelPod, labelPodInTime, unlabelPod } from './pod-label.js';
import { statusAnswers } from './status.js';
import { Streams } from './streams.js';
import { Traffic } from './traffic.js';

const LEASE = 'webspaces-gateway-ports';

/** Forwarded ports: in the kernel for webspaces that run, by listeners for those that are off. */
export async function startPorts({ config, directory, boots, kube, metrics, log }: Parts): Promise<Role> {
  const { forwarding, hostAddress, snat, podName, leaseSeconds, udpIdleSeconds, follows } = config.ports;
  const waiting = new Waiting(config.boot);
  metrics.waiters(() => waiting.count);
  const openFiles = openFilesLimit();
  const descriptors = new Descriptors(openFiles);
  const limit = Math.min(config.ports.listeners, descriptors.mostListeners);
  if (limit < config.ports.listeners || config.ports.streams > descriptors.mostStreams) {
    const { mostListeners, mostStreams } = descriptors;
    log.warn({ openFiles, mostListeners, mostStreams }, 'fewer files may be open than ports.listeners and ports.streams need');
  }
  const streams = new Streams(config.ports.streams, descriptors);
  const traffic = new Traffic();
  const kernel = forwarding === 'kernel' ? new Kernel({ run: localTools(), hostAddress, snat }) : undefined;
  // Where containers see the gateway instead of the client, every gateway's way is as good as another's.
  const everyoneActive = snat || kernel === undefined;
  const { kernelFailed } = createPortsMetrics(metrics.registry, {
    active: () => forwarder.active,
    kernelEntries: () => kernel?.entries.size ?? 0,
    listeners: () => listeners.count,
    listenersLimit: () => limit,
    withoutListener: () => listeners.refused,
    streams: () => streams.count,
  });
  const listeners = new Listeners({
    parts: { directory, boots, waiting, streams, traffic, metrics, udpIdleMs: udpIdleSeconds * 1000, log },
    hostAddress: hostAddress ?? '0.0.0.0',
    limit,
    descriptors,
    log,
    onUdpClosed: (key) => forwarder.forgetFlows(key),
  });
  const forwarder = new Forwarder({ directory, kernel, listeners, traffic, log, onKernelFailure: kernelFailed });
  const turns = {
    kube,
    log,
    onActive: async () => {
      forwarder.start();
      if (podName === undefined) return;
      // A Lease of its own must be renewed meanwhile.
      await forwarder.firstRound(leaseSeconds * 500);
      await labelPod(kube, podName, { alone: true });
    },
    onStandby: async () => {
      await forwarder.stop();
      if (podName !== undefined) await unlabelPod(kube, podName);
    },
  };
  const leader =
    follows !== undefined && podName !== undefined
      ? new LeaseFollower({ ...turns, lease: follows, podName, everySeconds: leaseSeconds / 8 })
      : new Leader({ ...turns, lease: LEASE, identity: `${podName ?? hostname()}-${randomUUID()}`, leaseSeconds });
  const ending = new AbortController();
  if (everyoneActive) {
    forwarder.start();
    if (podName !== undefined) void labelPodInTime(kube, podName, { log, signal: ending.signal });
  } else {
    leader.start();
  }
  return {
    notReady: () => (forwarder.problem === undefined ? {} : { kernel: forwarder.problem }),
    warnings: () => (listeners.shortage === undefined ? {} : { listeners: listeners.shortage }),
    answers: statusAnswers(directory, forwarder, traffic),
    drain: async (deadlineMs) => {
      ending.abort();
      // The next one must be able to listen at the same ports.
      await forwarder.stop();
      await leader.release();
      await Promise.race([streams.none(), delay(deadlineMs, undefined, { ref: false })]);
    },
  };
}
