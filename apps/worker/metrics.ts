import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { SweepMetrics } from '#activities/shared/deps.js';
import type { ClusterSweepDeps } from '#activities/upgrade/sweep-clusters.js';

export interface WorkerMetrics {
  readonly registry: Registry;
  readonly sweep: SweepMetrics & ClusterSweepDeps['metrics'];
  events(outcome: string): void;
  eventsConnected(connected: boolean): void;
}

export function createMetrics(): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const refused = new Counter({
    name: 'webspaces_sweep_refused_total',
    help: 'Times that nothing was removed, rerouted or suspended because what was read could not be believed, by reason',
    labelNames: ['reason'],
    registers,
  });
  const unreadable = new Gauge({
    name: 'webspaces_unreadable',
    help: 'Webspaces whose instance or record could not be read at the last comparison',
    registers,
  });
  const domains = new Gauge({
    name: 'webspaces_custom_domains',
    help: 'Custom domains by what DNS said of their proof at the last round: proved, refuted, unanswered',
    labelNames: ['proof'],
    registers,
  });
  const withoutProbes = new Gauge({
    name: 'webspaces_cluster_pods_without_probes',
    help: 'Running pods of LXD members that lack a probe they should have',
    labelNames: ['cluster'],
    registers,
  });
  const events = new Counter({
    name: 'webspaces_lxd_looks_total',
    help: 'Looks at one webspace after LXD events, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const connected = new Gauge({ name: 'webspaces_lxd_events_connected', help: 'Whether the stream of LXD events is connected', registers });
  return {
    registry,
    sweep: {
      refused: (reason) => refused.inc({ reason }),
      unreadable: (count) => unreadable.set(count),
      domains: (counts) => {
        for (const [proof, count] of Object.entries(counts)) domains.set({ proof }, count);
      },
      podsWithoutProbes: (cluster, count) => withoutProbes.set({ cluster }, count),
    },
    events: (outcome) => events.inc({ outcome }),
    eventsConnected: (value) => connected.set(value ? 1 : 0),
  };
}
