import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { CallKind } from './upstream.js';

/** What the process can tell of its state when it is asked. */
export interface Observed {
  repositories(): Iterable<{ readonly key: string; readonly ageSeconds: number; readonly leftOut: number; readonly versions: number }>;
  cacheBytes(): Readonly<Record<string, number>>;
}

export interface OctolxdMetrics {
  readonly registry: Registry;
  request(route: string, status: number): void;
  call(kind: CallKind, outcome: string, calls: number): void;
  stale(): void;
  observe(observed: Observed): void;
}

export function createMetrics(): OctolxdMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'webspaces_octolxd_requests_total',
    help: 'Requests by route and status',
    labelNames: ['route', 'status'],
    registers,
  });
  const calls = new Counter({
    name: 'webspaces_octolxd_github_calls_total',
    help: 'Calls to GitHub by kind (list, metadata, checksum, asset) and outcome (ok or an error code)',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const stale = new Counter({
    name: 'webspaces_octolxd_stale_answers_total',
    help: 'Answers that were older than they should be, because GitHub was away or limits us',
    registers,
  });
  return {
    registry,
    request: (route, status) => requests.inc({ route, status }),
    call: (kind, outcome, count) => calls.inc({ kind, outcome }, count),
    stale: () => stale.inc(),
    observe: (observed) => gauges(registry, observed),
  };
}

function gauges(registry: Registry, observed: Observed): void {
  const registers = [registry];
  const of = (name: string, help: string, value: (each: { ageSeconds: number; leftOut: number; versions: number }) => number) => {
    const collect = function (this: Gauge) {
      this.reset();
      for (const each of observed.repositories()) this.set({ repository: each.key }, value(each));
    };
    return new Gauge({ name, help, labelNames: ['repository'], registers, collect });
  };
  of('webspaces_octolxd_data_age_seconds', 'Since GitHub last confirmed the releases', ({ ageSeconds }) => ageSeconds);
  of('webspaces_octolxd_left_out', 'Releases or architectures that are not offered', ({ leftOut }) => leftOut);
  of('webspaces_octolxd_versions', 'Versions that are offered, of all images and architectures', ({ versions }) => versions);
  const collect = function (this: Gauge) {
    for (const [cache, bytes] of Object.entries(observed.cacheBytes())) this.set({ cache }, bytes);
  };
  new Gauge({ name: 'webspaces_octolxd_cache_bytes', help: 'Bytes on disk', labelNames: ['cache'], registers, collect });
}
