import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What the API counts. One registry per application, so that several can live in one process. */
export interface Metrics {
  readonly registry: Registry;
  request(labels: { readonly method: string; readonly route: string; readonly status: number }, seconds: number): void;
  /** A read from LXD: it was sent (`loaded`), or shared one that was going to be sent anyway (`shared`). */
  lxdRead(what: string, how: 'loaded' | 'shared'): void;
  temporalCall(call: string, outcome: string, seconds: number): void;
  eventStreams(change: 1 | -1): void;
  streams(kind: 'console' | 'exec', change: 1 | -1): void;
  /** What a stream has moved, from clients and to them. */
  streamBytes(moved: { readonly in: number; readonly out: number }): void;
}

export function createMetrics({ processMetrics = true }: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: 'webspaces_api_request_duration_seconds',
    help: 'Time to answer a request',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers,
  });
  const reads = new Counter({
    name: 'webspaces_api_lxd_reads_total',
    help: 'Reads from LXD: sent, or shared',
    labelNames: ['what', 'how'],
    registers,
  });
  const calls = new Histogram({
    name: 'webspaces_api_temporal_call_duration_seconds',
    help: 'Time of calls to Temporal by outcome',
    labelNames: ['call', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const streams = new Gauge({ name: 'webspaces_api_event_streams', help: 'Open event streams of operations', registers });
  const sockets = new Gauge({ name: 'webspaces_api_streams', help: 'Open consoles and terminals', labelNames: ['kind'], registers });
  const bytes = new Counter({
    name: 'webspaces_api_stream_bytes_total',
    help: 'Bytes of consoles and terminals that have ended, from clients and to them',
    labelNames: ['direction'],
    registers,
  });
  return {
    registry,
    request: (labels, seconds) => requests.observe(labels, seconds),
    lxdRead: (what, how) => reads.inc({ what, how }),
    temporalCall: (call, outcome, seconds) => calls.observe({ call, outcome }, seconds),
    eventStreams: (change) => streams.inc(change),
    streams: (kind, change) => sockets.inc({ kind }, change),
    streamBytes: (moved) => {
      bytes.inc({ direction: 'in' }, moved.in);
      bytes.inc({ direction: 'out' }, moved.out);
    },
  };
}
