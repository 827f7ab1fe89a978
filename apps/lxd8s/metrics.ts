import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { addressOfPort } from '#libs/domain/lan.js';
import type { State } from './start-probes.js';

/** What `/metrics` shows, read from the state when it is asked. */
export function createMetrics(state: () => State): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: string[], set: (gauge: Gauge, now: State) => void) => {
    const collect = function (this: Gauge) {
      this.reset();
      set(this, state());
    };
    new Gauge({ name: `webspaces_lxd8s_${name}`, help, labelNames, registers: [registry], collect });
  };
  gauge('lxd', 'What LXD is: 1 for one of serving, waiting, silent', ['is'], (gauge, { lxd }) => {
    for (const is of ['serving', 'waiting', 'silent']) gauge.set({ is }, lxd.is === is ? 1 : 0);
  });
  gauge('probe_passes', 'Whether a probe passes (startup, live, ready)', ['probe'], (gauge, { probes }) => {
    for (const [probe, { passes }] of Object.entries(probes)) gauge.set({ probe }, passes ? 1 : 0);
  });
  gauge('lenient', 'Whether the Lease of an upgrade makes start-up and liveness lenient', [], (gauge, { lease }) =>
    gauge.set(lease.lenient ? 1 : 0),
  );
  gauge('lease_unreadable', 'Whether the Lease cannot be read now', [], (gauge, { lease }) => gauge.set(lease.error === undefined ? 0 : 1));
  gauge('ports', 'Ports of containers on the bridge: webspace, stranger, closed', ['kind'], (gauge, { ports }) => {
    if (!ports) return;
    gauge.set({ kind: 'webspace' }, ports.webspaces);
    gauge.set({ kind: 'stranger' }, ports.strangers);
    gauge.set({ kind: 'closed' }, ports.closed.length);
  });
  gauge('ports_guarded', 'Whether the rules of ports are as they should be', [], (gauge, { ports }) => {
    if (ports) gauge.set(ports.guarded ? 1 : 0);
  });
  gauge(
    'refused_frames',
    'Frames of containers that were refused, by reason, since the rules were made',
    ['reason'],
    (gauge, { ports }) => {
      for (const [reason, frames] of Object.entries(ports?.refused ?? {})) gauge.set({ reason }, frames);
    },
  );
  gauge('port_refused_frames', 'The same by port', ['port', 'address'], (gauge, { ports }) => {
    for (const [port, frames] of Object.entries(ports?.offenders ?? {})) gauge.set({ port, address: addressOfPort(port) ?? '' }, frames);
  });
  return registry;
}
