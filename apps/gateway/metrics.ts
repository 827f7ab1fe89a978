import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Trigger } from './boots.js';

export interface GatewayMetrics {
  readonly registry: Registry;
  boot(trigger: Trigger, outcome: string, seconds: number): void;
  /** A visitor who was not led to a webspace, by the reason or the error's code. */
  refused(trigger: Trigger, reason: string): void;
  /** How long a visitor waited for a connection to a webspace. */
  held(trigger: Trigger, seconds: number): void;
  /** What tells how many visitors wait now. */
  waiters(count: () => number): void;
  /** Bytes from a visitor to a webspace, and back. */
  streamed(trigger: Trigger, there: number, back: number): void;
}

export function createMetrics(): GatewayMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const boots = new Counter({
    name: 'webspaces_gateway_boots_total',
    help: 'Boots asked for, by what visitors came by (http, sni, port) and outcome (started, ran or an error code)',
    labelNames: ['trigger', 'outcome'],
    registers,
  });
  const bootSeconds = new Histogram({
    name: 'webspaces_gateway_boot_seconds',
    help: 'Time until LXD had started a webspace',
    labelNames: ['trigger'],
    buckets: [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60],
    registers,
  });
  const refused = new Counter({
    name: 'webspaces_gateway_refused_total',
    help: 'Visitors who were not led to a webspace, by reason or error code',
    labelNames: ['trigger', 'reason'],
    registers,
  });
  const bytes = new Counter({
    name: 'webspaces_gateway_bytes_total',
    help: 'Bytes streamed, by direction (there: to webspaces)',
    labelNames: ['trigger', 'direction'],
    registers,
  });
  const held = new Histogram({
    name: 'webspaces_gateway_hold_seconds',
    help: 'How long visitors waited for a connection to their webspace',
    labelNames: ['trigger'],
    buckets: [0.005, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60],
    registers,
  });
  return {
    registry,
    held: (trigger, seconds) => held.observe({ trigger }, seconds),
    waiters: (count) => {
      const collect = function (this: Gauge) {
        this.set(count());
      };
      new Gauge({ name: 'webspaces_gateway_waiting', help: 'Visitors who wait for a webspace now', registers, collect });
    },
    refused: (trigger, reason) => refused.inc({ trigger, reason }),
    streamed: (trigger, there, back) => {
      bytes.inc({ trigger, direction: 'there' }, there);
      bytes.inc({ trigger, direction: 'back' }, back);
    },
    boot: (trigger, outcome, seconds) => {
      boots.inc({ trigger, outcome });
      bootSeconds.observe({ trigger }, seconds);
    },
  };
}
