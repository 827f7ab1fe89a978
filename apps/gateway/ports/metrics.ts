import { Counter, Gauge, type Registry } from 'prom-client';

/** Why a visitor of a forwarded port was turned away. */
export type Refusal = 'waiting' | 'streams' | 'boot' | 'not-listening' | 'unknown-port';

export interface PortsMetrics {
  refused(reason: Refusal): void;
  bytes(direction: 'in' | 'out', count: number): void;
  kernelFailed(): void;
}

/** What is counted at the moment it is asked for. */
export interface PortsGauges {
  active(): boolean;
  kernelEntries(): number;
  listeners(): number;
  withoutListener(): number;
  waiting(): number;
  streams(): number;
}

export function createPortsMetrics(registry: Registry, gauges: PortsGauges): PortsMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `webspaces_gateway_ports_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('active', 'Whether this is the gateway that forwards', () => Number(gauges.active()));
  gauge('kernel_entries', 'Forwards in the kernel', gauges.kernelEntries);
  gauge('listeners', 'Forwards with a listener', gauges.listeners);
  gauge(
    'without_listener',
    'Forwards that should have a listener and have none: the limit, or a port that is taken',
    gauges.withoutListener,
  );
  gauge('waiting', 'Visitors who wait for a webspace', gauges.waiting);
  gauge('streams', 'Connections and UDP flows through this process', gauges.streams);
  const refused = new Counter({
    name: 'webspaces_gateway_ports_refused_total',
    help: 'Connections and UDP flows that were turned away, by reason',
    labelNames: ['reason'],
    registers,
  });
  const bytes = new Counter({
    name: 'webspaces_gateway_ports_bytes_total',
    help: 'Bytes through this process, to webspaces (in) and from them (out)',
    labelNames: ['direction'],
    registers,
  });
  const kernelFailures = new Counter({
    name: 'webspaces_gateway_ports_kernel_failures_total',
    help: 'Changes of the kernel that failed and were tried again',
    registers,
  });
  return {
    refused: (reason) => refused.inc({ reason }),
    bytes: (direction, count) => bytes.inc({ direction }, count),
    kernelFailed: () => kernelFailures.inc(),
  };
}
