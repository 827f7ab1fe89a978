import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type MemberState, PHASES } from './state.js';

/** What `/metrics` shows, read from the state when it is asked. */
export function createMemberMetrics(state: () => MemberState): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: string[], set: (gauge: Gauge, now: MemberState) => void) => {
    const collect = function (this: Gauge) {
      this.reset();
      set(this, state());
    };
    new Gauge({ name: `webspaces_lxd8s_member_${name}`, help, labelNames, registers: [registry], collect });
  };
  gauge('phase', `What the member is at: 1 for one of ${PHASES.join(', ')}`, ['phase'], (gauge, now) => {
    for (const phase of PHASES) gauge.set({ phase }, now.phase === phase ? 1 : 0);
  });
  gauge('waits', 'Whether it waits for something outside, such as a volume that can be used', [], (gauge, now) =>
    gauge.set(now.waits ? 1 : 0),
  );
  gauge('lxd_starts', 'How often LXD was started since the container was', [], (gauge, { lxd }) => gauge.set(lxd.starts));
  gauge(
    'problem',
    'Parts that are not as they should be: machine, instances, record, joins, memory, certificate, preseed, preseed file',
    ['part'],
    (gauge, { problems }) => {
      for (const part of Object.keys(problems)) gauge.set({ part }, 1);
    },
  );
  gauge('preseed_changes', 'Changes made so that LXD is as the preseed says, since the container was started', [], (gauge, { preseed }) => {
    if (preseed) gauge.set(preseed.changes);
  });
  gauge('preseed_leftovers', 'Objects that the preseed once had and that are still there', [], (gauge, { preseed }) => {
    if (preseed) gauge.set(preseed.leftovers.length);
  });
  gauge('memory_bytes', "Of the pod: its limit (or the machine's), and what is free of it", ['what'], (gauge, { memory }) => {
    if (!memory) return;
    gauge.set({ what: 'limit' }, memory.limitBytes);
    gauge.set({ what: 'free' }, memory.freeBytes);
  });
  gauge('memory_short', 'Whether less is free than should be', [], (gauge, { memory }) => {
    if (memory) gauge.set(memory.short ? 1 : 0);
  });
  return registry;
}
