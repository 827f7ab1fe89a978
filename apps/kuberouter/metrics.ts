import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Counts } from './rules/counters.js';
import { FLOWS, REFUSALS } from './rules/counters.js';

/** What is looked at when it is asked for. */
export interface Looks {
  active(): boolean;
  reservations(): number;
  conflicts(): number;
  /** Leases of the pool now. */
  leases(): number;
  poolSize(): number;
  dnsmasq(): { readonly running: boolean; readonly starts: number; readonly reloads: number; readonly failures: number };
  /** The kernel's counters. */
  counts(): Promise<Counts>;
}

export function createMetrics(looks: Looks): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `webspaces_kuberouter_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('active', 'Whether this is the router that routes', () => Number(looks.active()));
  gauge('reservations', 'Webspaces with an address of their own', looks.reservations);
  gauge('conflicts', 'Webspaces whose address cannot be reserved', looks.conflicts);
  gauge('pool_leases', 'Addresses of the pool that are leased', looks.leases);
  gauge('pool_addresses', 'Addresses of the pool', looks.poolSize);
  gauge('dnsmasq_running', 'Whether dnsmasq runs', () => Number(looks.dnsmasq().running));
  const total = (name: string, help: string, value: () => number) =>
    new Counter({
      name: `webspaces_kuberouter_${name}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  total('dnsmasq_starts', 'Starts of dnsmasq', () => looks.dnsmasq().starts);
  total('dnsmasq_reloads', 'Readings of reservations and names while it runs', () => looks.dnsmasq().reloads);
  total('dnsmasq_failures', 'Times that dnsmasq ended by itself', () => looks.dnsmasq().failures);
  kernelCounters(registry, looks);
  return registry;
}

function kernelCounters(registry: Registry, looks: Looks): void {
  const registers = [registry];
  new Counter({
    name: 'webspaces_kuberouter_refused_packets_total',
    help: `Packets refused or dropped, by reason: ${Object.entries(REFUSALS)
      .map(([reason, what]) => `${reason} (${what})`)
      .join(', ')}`,
    labelNames: ['reason'],
    registers,
    async collect() {
      const counts = await looks.counts();
      this.reset();
      for (const reason of Object.keys(REFUSALS)) this.inc({ reason }, counts.get(`refused_${reason}`)?.packets ?? 0);
    },
  });
  new Counter({
    name: 'webspaces_kuberouter_bytes_total',
    help: 'Bytes between the LAN and the outside, by direction (sent: to the outside)',
    labelNames: ['direction'],
    registers,
    async collect() {
      const counts = await looks.counts();
      this.reset();
      for (const direction of FLOWS) this.inc({ direction }, counts.get(direction)?.bytes ?? 0);
    },
  });
}
