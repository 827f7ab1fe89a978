import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lxd8sConfig } from '#libs/config/lxd8s.js';
import { probeLeaseOf } from '#libs/domain/upgrade/steps.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { Logger } from '#libs/logging/logger.js';
import { answersOf, PROBES, type Probe, type ProbeAnswer } from './answers.js';
import { type Clock, systemClock } from './clock.js';
import { type LeaseView, LeaseWatch } from './lease-watch.js';
import { type LxdView, LxdWatch } from './lxd-watch.js';
import { type MemberView, MemberWatch } from './member-watch.js';
import { createMetrics } from './metrics.js';
import type { PortsView } from './ports/guard.js';
import type { RunningPorts } from './ports/run-ports.js';
import { mayRead, POD_ONLY } from './state-readers.js';

export interface State {
  readonly lxd: LxdView;
  readonly lease: LeaseView & { readonly name: string };
  /** What the process that LXD runs under says, where there is one. */
  readonly member?: MemberView;
  readonly probes: Readonly<Record<Probe, ProbeAnswer>>;
  readonly ports?: PortsView;
}

export interface Probes {
  readonly port: number;
  close(): Promise<void>;
}

export interface ProbesParts {
  readonly config: Lxd8sConfig;
  readonly kube: Pick<KubernetesClient, 'find'>;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Where the member guards some. */
  readonly ports?: Pick<RunningPorts, 'view'> | undefined;
}

/** The member's probe endpoint, listening. LXD and the Lease are looked at all the time; a probe is answered at once from what was seen last. */
export async function startProbes({ config, kube, log, clock = systemClock, ports }: ProbesParts): Promise<Probes> {
  const stop = new AbortController();
  const name = probeLeaseOf(config.statefulSet);
  const lxd = new LxdWatch({ socket: config.lxd.socket, timeoutMs: config.lxd.timeoutSeconds * 1000, clock });
  const lease = new LeaseWatch({ kube, name, bounds: config.lease, clock });
  const member = config.member && new MemberWatch({ url: config.member.url, timeoutMs: config.member.timeoutSeconds * 1000 });
  const state = (): State => {
    const [lxdNow, leaseNow, memberNow] = [lxd.view(), lease.view(), member?.view()];
    const probes = answersOf({ lxd: lxdNow, lease: leaseNow, member: memberNow, deadSeconds: config.lxd.deadSeconds });
    return {
      lxd: lxdNow,
      lease: { name, ...leaseNow },
      ...(memberNow ? { member: memberNow } : {}),
      probes,
      ...(ports ? { ports: ports.view() } : {}),
    };
  };
  const tell = changesTo(log);
  const looking = [
    { seconds: config.lxd.everySeconds, at: lxd },
    { seconds: config.lease.everySeconds, at: lease },
    ...(config.member && member ? [{ seconds: config.member.everySeconds, at: member }] : []),
  ].map(({ seconds, at }) => every(seconds, stop.signal, () => at.look(stop.signal).then(() => tell(state()))));
  const registry = createMetrics(state);
  const server = createServer(async (request, response) => {
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    const path = request.url?.slice(1);
    const probe = PROBES.find((known) => known === path);
    if (probe) {
      const answer = state().probes[probe];
      return json(answer.passes ? 200 : 503, answer);
    }
    if (path === 'state') return mayRead(request, config.stateFor) ? json(200, state()) : json(POD_ONLY.status, POD_ONLY.body);
    if (path === 'metrics') return response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
    return json(404, { message: 'There is /startup, /live, /ready, /state and /metrics.' });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.listen.port, config.listen.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      stop.abort();
      server.closeAllConnections();
      await Promise.all([new Promise((resolve) => server.close(resolve)), ...looking]);
    },
  };
}

/** One after another, with a pause after each, until the signal. */
async function every(seconds: number, signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await look();
    // Rejects only when it ends.
    await delay(seconds * 1000, undefined, { signal }).catch(() => undefined);
  }
}

/** Logs a state that differs from the one told last in what LXD is, what the Lease does, or what probes answer. */
function changesTo(log: Logger): (state: State) => void {
  let told = '';
  return ({ lxd, lease, probes }) => {
    const answers = Object.fromEntries(Object.entries(probes).map(([probe, { passes, by }]) => [probe, passes ? by : 'fails']));
    const now = { lxd: lxd.is, lenient: lease.lenient, leaseReadable: lease.error === undefined, ...answers };
    if (JSON.stringify(now) === told) return;
    told = JSON.stringify(now);
    log.info(
      { ...now, said: lxd.said, lease: lease.why, ...(lease.error === undefined ? {} : { error: lease.error }) },
      'state of the member',
    );
  };
}
