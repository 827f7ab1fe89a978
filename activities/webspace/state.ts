import type { Acting, Busy, Started, WebspaceFacts } from '#libs/contracts/activities.js';
import { type InstancePhase, phaseOf } from '#libs/domain/phase.js';
import { uidOfObject } from '#libs/domain/projection.js';
import { parseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { suspendedError } from '#libs/domain/suspension.js';
import { isPlatformError, noWebspace, PlatformError } from '#libs/errors/platform-error.js';
import { dialUntil } from '#libs/net/dial.js';
import { Instances } from '../lxd/instances.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import { alignNic } from './align-nic.js';
import { factsOf } from './facts.js';
import { type Taken, takeWebspace } from './take.js';

/** The steps of boot, reboot and shutdown. */
export function stateSteps(deps: Deps) {
  const { lxd, locks, observer, projection, leadAway, platform, kube, log, replacedMembers } = deps;
  const instances = new Instances(lxd, platform);

  /** The phase is for the eye: an operation goes on without it. */
  async function show(name: string, record: WebspaceRecord, phase: 'starting', signal: AbortSignal): Promise<void> {
    try {
      const webspace = await kube.find('webspace', name, { signal });
      if (webspace && uidOfObject(webspace) === record.uid) await projection.writePhase(webspace, phase, signal);
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      log.warn({ webspace: name, phase, error: error.message }, 'phase not shown');
    }
  }

  /** On a member that is being replaced only once that has ended: what was read before is not true any more. */
  async function takeOnceBack(call: Call, acting: Acting): Promise<Taken | Busy> {
    const taken = await takeWebspace(deps, call, acting);
    if ('busy' in taken) return taken;
    const { suspended } = taken.record.policy;
    if (suspended) throw suspendedError(acting.name, suspended);
    const waited = await replacedMembers.awaitBack(call, taken.found.value.location);
    return waited ? takeWebspace(deps, call, acting) : taken;
  }

  /** Visitors of a webspace that runs are led to the gateway; only a retry finds it stopped. */
  async function takeOffRoutes(call: Call, { name }: Acting, record: WebspaceRecord, phase: InstancePhase): Promise<void> {
    const published = await projection.routeToGateway(name, record, await projection.read(name, call.signal), call.signal);
    if (phase !== 'running') return;
    await leadAway.newVisitors(call, { name, uid: record.uid, sniPassthrough: record.http.sniPassthrough, ...published });
  }

  return {
    async startInstance(call: Call, acting: Acting): Promise<Started | Busy> {
      const taken = await takeOnceBack(call, acting);
      if ('busy' in taken) return taken;
      const { found } = taken;
      const record = await alignNic(deps, call, acting, taken);
      const running = phaseOf(found.value.status_code) === 'running';
      const [{ changed }] = await settleAll([
        instances.start(call, found.value),
        running ? undefined : show(acting.name, record, 'starting', call.signal),
      ]);
      return { ...factsOf(record, platform), changed };
    },

    async awaitReady(call: Call, acting: Acting, facts: WebspaceFacts): Promise<{ answering: boolean; waitedMs: number }> {
      const begun = Date.now();
      const deadline = begun + facts.startupDelaySeconds * 1000;
      const wait = (waitingFor: string) => call.waiting({ waitingFor, deadline: new Date(deadline).toISOString() });
      if (facts.address === '') wait(`${acting.name} to get an address by DHCP`);
      const address = facts.address || (await observer.awaitAddress(acting.name, deadline, call.signal));
      if (address === undefined) return { answering: false, waitedMs: Date.now() - begun };
      wait(`${address}:${facts.port} to accept a connection`);
      const socket = await dialUntil({ address, port: facts.port }, deadline, call.signal);
      socket?.destroy();
      return { answering: socket !== undefined, waitedMs: Date.now() - begun };
    },

    async beginStop(call: Call, acting: Acting): Promise<WebspaceFacts | Busy> {
      const taken = await takeWebspace(deps, call, acting);
      if ('busy' in taken) return taken;
      const { found, record } = taken;
      const phase = phaseOf(found.value.status_code);
      if (phase === 'stopped' && call.attempt === 1) {
        throw new PlatformError('CONFLICT', 'not running', { details: { reason: 'not-running' } });
      }
      await takeOffRoutes(call, acting, record, phase);
      return factsOf(record, platform);
    },

    async turnOff(call: Call, acting: Acting, timeoutSeconds: number): Promise<{ forced: boolean }> {
      await locks.assertHeld(acting, call.me, call.signal);
      const found = await instances.find(acting.name, call.signal);
      const record = found && parseRecord(found.value);
      if (!found || record?.uid !== acting.uid) throw noWebspace(acting.name);
      await takeOffRoutes(call, acting, record, phaseOf(found.value.status_code));
      return instances.stop(call, acting.name, timeoutSeconds);
    },

    async stopInstance(call: Call, acting: Acting, timeoutSeconds: number): Promise<{ forced: boolean }> {
      await locks.assertHeld(acting, call.me, call.signal);
      return instances.stop(call, acting.name, timeoutSeconds);
    },
  };
}
