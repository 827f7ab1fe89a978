import type { Acting, Busy } from '#libs/contracts/activities.js';
import type { ChangeWebspaceResult, NewPortForward, PortForward, WebspaceChange } from '#libs/contracts/operations.js';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { type ChangePlan, planChange } from '#libs/domain/change.js';
import { serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import { leftBehind } from './left-behind.js';
import { takeWebspace } from './take.js';

const RACES = 5;

const isFixed = (port: NewPortForward): port is PortForward => port.external !== undefined;

/** The step of a change: claims first, then the record, which says by itself which operation changed it last. */
export function changeSteps(deps: Deps) {
  const { lxd, claims, installation, platform } = deps;

  async function claim(
    acting: Acting,
    { uid }: WebspaceRecord,
    plan: ChangePlan,
    change: WebspaceChange,
    signal: AbortSignal,
  ): Promise<PortForward[]> {
    const { name, operationId } = acting;
    const wanted = change.ports?.add ?? [];
    if (plan.claims.length + wanted.length === 0) return [];
    await installation.assertClaimsOpen(signal);
    // The instance under the name is this one: any other uid's claims are of one that is gone.
    const claimant = { name, uid, operationId };
    const mayTake = leftBehind(name, async () => false, installation, signal);
    const fixed = wanted.filter(isFixed);
    const any = wanted.filter((port) => !isFixed(port));
    const [drawn] = await settleAll([
      claims.ensureAnyPorts(platform.portRange, any, { seed: operationId, fixed }, claimant, signal),
      ...plan.claims.map((one) => claims.ensure(one, claimant, mayTake, signal)),
    ]);
    let next = 0;
    return wanted.map((port) => (isFixed(port) ? port : (drawn[next++] as PortForward)));
  }

  return {
    async changeRecord(call: Call, acting: Acting, change: WebspaceChange): Promise<ChangeWebspaceResult | Busy> {
      const { name, operationId } = acting;
      const { signal } = call;
      for (let race = 0; race < RACES; race++) {
        const taken = await takeWebspace(deps, call, acting);
        if ('busy' in taken) return taken;
        const { record, found } = taken;
        const result = { name, uid: record.uid };
        const { lastChange } = record;
        if (lastChange?.operation === operationId) return { ...result, previous: lastChange.previous, added: lastChange.added };
        const plan = planChange(record, change, platform);
        const added = await claim(acting, record, plan, change, signal);
        const changed: WebspaceRecord = { ...plan.record(added), lastChange: { operation: operationId, previous: plan.previous, added } };
        try {
          await lxd.instances.patchConfig(name, { [RECORD_KEY]: serialiseRecord(changed) }, { etag: found.etag, signal });
          return { ...result, previous: plan.previous, added };
        } catch (error) {
          if (!isPlatformError(error, 'STALE')) throw error;
        }
      }
      throw new PlatformError('STALE', `${name} keeps changing in LXD; trying again.`);
    },
  };
}
