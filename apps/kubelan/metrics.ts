import { performance } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { RefusedCounter } from './filter.js';
import type { HookName } from './hooks.js';
import type { State } from './state.js';

export interface Looks {
  readonly state: () => State;
  /** What the filter has refused so far; undefined when it cannot be asked. */
  readonly refused: () => Promise<Readonly<Record<RefusedCounter, number>> | undefined>;
}

/** What `/metrics` shows, and the counters that others count up. */
export function createMetrics({ state, refused }: Looks) {
  const registry = new Registry();
  // Each sample wakes the process up: ten a second suffice for a sidecar of every pod.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  const registers = [registry];
  const name = (short: string) => `webspaces_kubelan_${short}`;
  const gauge = (short: string, help: string, value: (now: State) => number) =>
    new Gauge({
      name: name(short),
      help,
      registers,
      collect() {
        this.set(value(state()));
      },
    });
  gauge('interface_up', 'Whether the VXLAN interface is up', ({ interfaceUp }) => Number(interfaceUp));
  gauge('interface_mtu_bytes', 'MTU of the VXLAN interface', ({ mtu }) => mtu);
  gauge('peers', 'Peers in the kernel', ({ peers }) => peers.size);
  gauge('unread_namespaces', 'Namespaces whose Services were not read yet', ({ unread }) => unread.length);
  gauge('sync_age_seconds', 'Since when the kernel was last seen in step; -1 before the first time', ({ syncedAtMs }) =>
    syncedAtMs === undefined ? -1 : (performance.now() - syncedAtMs) / 1000,
  );
  new Gauge({
    name: name('refused_packets'),
    help: 'Packets that the filter refused since its table was made: VXLAN from who is no peer, advertisements and redirects from the LAN',
    labelNames: ['why'],
    registers,
    async collect() {
      const counters = await refused();
      if (!counters) return;
      this.set({ why: 'no_peer' }, counters.refused_senders);
      this.set({ why: 'advertisement' }, counters.refused_advertisements);
    },
  });
  const counter = <L extends string>(short: string, help: string, labelNames: L[]) =>
    new Counter({ name: name(short), help, labelNames, registers });
  const syncs = counter('syncs_total', 'Looks at the kernel, by result', ['result']);
  const changes = counter('peer_changes_total', 'Peers added and removed, and learned ways forgotten', ['what']);
  const made = counter('interface_made_total', 'How often the interface was made (new) or made anew', ['how']);
  const hooks = counter('hook_failures_total', 'Hooks that failed or took too long', ['hook']);
  return {
    registry,
    synced: (result: 'ok' | 'failed') => syncs.inc({ result }),
    peers: (change: { readonly added: number; readonly removed: number; readonly forgotten: number }) => {
      for (const [what, count] of Object.entries(change)) changes.inc({ what }, count);
    },
    made: (how: 'nothing' | 'new' | 'anew') => made.inc({ how }),
    hookFailed: (hook: HookName) => hooks.inc({ hook }),
  };
}
