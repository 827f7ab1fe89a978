import { Counter, Gauge, type Registry } from 'prom-client';

/** What is looked at the moment it is asked for. */
export interface PortsGauges {
  active(): boolean;
  kernelEntries(): number;
  listeners(): number;
  listenersLimit(): number;
  withoutListener(): number;
  streams(): number;
}

/** Gauges of the role, and the counter of what failed in the kernel. */
export function createPortsMetrics(registry: Registry, gauges: PortsGauges): { readonly kernelFailed: () => void } {
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
    'listeners_limit',
    'As many listeners as there may be: ports.listeners, or what the limit of open files leaves',
    gauges.listenersLimit,
  );
  gauge(
    'without_listener',
    'Forwards that should have a listener and have none: the limit, or a port that is taken',
    gauges.withoutListener,
  );
  gauge('streams', 'Connections and UDP flows through this process', gauges.streams);
  const kernelFailures = new Counter({
    name: 'webspaces_gateway_ports_kernel_failures_total',
    help: 'Changes of the kernel that failed and were tried again',
    registers,
  });
  return { kernelFailed: () => kernelFailures.inc() };
}
