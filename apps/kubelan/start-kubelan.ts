import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { KubelanConfig } from '#libs/config/kubelan.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { followLinks } from '#libs/linux/follow-links.js';
import type { RunTool } from '#libs/linux/tools.js';
import { startHealthServer } from '#libs/service/health-server.js';
import { originalAnswers } from './answers.js';
import { readFilter } from './filter.js';
import { Hooks } from './hooks.js';
import { Keeper } from './keeper.js';
import { Lan } from './lan.js';
import { Membership } from './membership.js';
import { createMetrics } from './metrics.js';
import { peersAmong, serviceOf } from './services.js';
import { problemsOf } from './state.js';
import { Exchange } from './tunnel/exchange.js';
import { Tunnel } from './tunnel/tunnel.js';

export interface KubelanParts {
  readonly config: KubelanConfig;
  readonly kube: KubernetesClient;
  readonly run: RunTool;
  /** The environment of hooks. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** What is not as it should be outside of this run. */
  readonly warnings: () => Readonly<Record<string, string>>;
}

/** One run under one configuration. `keep` leaves the LAN in the kernel as it is. */
export interface RunningKubelan {
  close(lan: 'keep' | 'remove'): Promise<void>;
}

export async function startKubelan({ config, kube, run, env, log, warnings }: KubelanParts): Promise<RunningKubelan> {
  const { lan: section, bridge, hooks: commands } = config;
  const resyncMs = config.resyncSeconds * 1000;
  const ending = new AbortController();
  // Without an answer of the kernel the figure is missing, the others are not.
  const refused = () =>
    readFilter(run)
      .then((filter) => filter?.counters)
      .catch(() => undefined);
  const metrics = createMetrics({ state: () => lan.state, refused });
  const hooks = new Hooks({ commands, timeoutMs: commands.timeoutSeconds * 1000, env, log, onFailure: metrics.hookFailed });
  const iface = { IFACE: section.interface };
  const toldPeers = new Map<string, string>();
  let up = false;
  const membership = new Membership({
    kube,
    services: section.services.map((text) => serviceOf(text, config.kubernetes.namespace)),
    log,
    onChange: () => keeper.changed(),
  });
  const exchange = new Exchange({ kube, vni: section.vni, log, onChange: () => keeper.changed() });
  const encrypted = section.encryption === 'wireguard';
  const tunnel = encrypted ? new Tunnel({ settings: config.wireguard, run, exchange, log }) : undefined;
  const lan = new Lan({
    config,
    run,
    tunnel,
    known: () => ({
      addresses: [...membership.addresses().values()].flatMap((some) => [...some]),
      // The keys are in the own namespace.
      unread: [...new Set([...membership.unread, ...(encrypted && !exchange.read ? [config.kubernetes.namespace] : [])])],
    }),
    log,
    told: {
      peers: metrics.peers,
      made: (made) => {
        metrics.made(made);
        up = false;
      },
    },
  });
  const keeper = new Keeper({
    sync: async () => {
      await lan.sync();
      if (!up) void hooks.run('up', iface);
      up = true;
      tellPeers();
    },
    resyncMs,
    log,
    onSync: metrics.synced,
  });

  /** Of each Service whose peers are others than were told last. */
  function tellPeers(): void {
    const { underlay } = lan.state;
    if (underlay === undefined) return;
    for (const [service, addresses] of membership.addresses()) {
      const IPS = [...peersAmong(addresses, underlay)].sort().join(' ');
      if (IPS === (toldPeers.get(service) ?? '')) continue;
      toldPeers.set(service, IPS);
      void hooks.run('change', { ...iface, SERVICE: service, IPS, DELETED: String(!membership.has(service)) });
    }
  }

  const problems = () => problemsOf(lan.state, { resyncMs, nowMs: performance.now() });
  const hookWarnings = () => Object.fromEntries([...hooks.failures].map(([hook, why]) => [`hooks.${hook}`, why]));
  const server = await startHealthServer(config.listen, problems, metrics.registry, {
    further: originalAnswers(config, { state: () => lan.state, problems }),
    warnings: () => ({ ...hookWarnings(), ...warnings() }),
  });
  membership.start();
  if (encrypted) exchange.start();
  keeper.start();
  const names = [section.interface, ...(bridge === undefined ? [] : [bridge]), ...(encrypted ? [config.wireguard.interface] : [])];
  void followLinks({
    signal: ending.signal,
    onChange: (name) => {
      if (name === undefined || names.includes(name)) keeper.changed();
    },
    onEnd: (why) => log.warn({ why }, 'ip monitor ended, trying again'),
  });
  log.info({ interface: section.interface, vni: section.vni, services: section.services }, 'kubelan runs');
  return {
    close: async (what) => {
      ending.abort();
      membership.stop();
      exchange.stop();
      await keeper.stop();
      if (what === 'remove') await lan.remove();
      server.close();
      server.closeAllConnections();
    },
  };
}
