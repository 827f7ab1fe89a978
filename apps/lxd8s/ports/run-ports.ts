import { once } from 'node:events';
import type { Lxd8sConfig } from '#libs/config/lxd8s.js';
import { followLinks } from '#libs/linux/follow-links.js';
import { localTools } from '#libs/linux/tools.js';
import type { Logger } from '#libs/logging/logger.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { timeLimit } from '#libs/net/time-limit.js';
import type { Port } from './elements.js';
import { portsFromLxd } from './from-lxd.js';
import { PortGuard, type PortsView } from './guard.js';

const AGAIN_MS = 100;
const LXD_TIMEOUT_MS = 10_000;

export interface RunningPorts {
  view(): PortsView;
  /** The rules stay as they are. */
  close(): Promise<void>;
}

/** Guards the ports of this member's bridge until closed; undefined where the configuration names none. */
export function startPorts({ ports, lan, lxd: { socket } }: Lxd8sConfig, log: Logger): RunningPorts | undefined {
  if (!ports) return undefined;
  const stop = new AbortController();
  const lxd = createLxdClient({ socket, requestTimeoutMs: LXD_TIMEOUT_MS });
  const told = async (signal: AbortSignal): Promise<ReadonlyMap<string, Port>> => {
    const [{ environment }, instances] = await Promise.all([lxd.server({ signal }), lxd.instances.list({ signal })]);
    const here = instances.filter(({ location }) => location === 'none' || location === environment.server_name);
    return portsFromLxd(here);
  };
  const { bridge, addresses: webspaces } = ports;
  const place = { bridge, uplink: lan.interface, webspaces };
  const guard = new PortGuard({ ...lan, webspaces, place, run: localTools(), told, log });
  const looking = keepLooking(guard, ports.everySeconds * 1000, stop.signal);
  return {
    view: () => guard.view(),
    async close() {
      stop.abort();
      await looking;
      lxd.close();
    },
  };
}

/** At once when an interface changes, soon again while a port is closed, and thoroughly from time to time. */
async function keepLooking(guard: PortGuard, everyMs: number, signal: AbortSignal): Promise<void> {
  const changes = new EventTarget();
  let changed = true;
  const events = followLinks({
    signal,
    onChange: () => {
      changed = true;
      changes.dispatchEvent(new Event('change'));
    },
  });
  let thoroughAt = 0;
  let pause = AGAIN_MS;
  while (!signal.aborted) {
    changed = false;
    const thorough = performance.now() >= thoroughAt;
    const outcome = await guard.look(thorough ? 'thorough' : 'interfaces', signal);
    if (thorough) thoroughAt = performance.now() + everyMs;
    pause = outcome === 'closed' ? Math.min(pause * 2, everyMs) : AGAIN_MS;
    const next = outcome === 'closed' ? pause : Math.max(0, thoroughAt - performance.now());
    // Rejects when it is time, or when it ends.
    if (!changed) await once(changes, 'change', { signal: AbortSignal.any([signal, timeLimit(Math.ceil(next))]) }).catch(() => undefined);
  }
  await events;
}
