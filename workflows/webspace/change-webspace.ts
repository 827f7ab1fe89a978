import { CancellationScope } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { ChangeKind, ChangeWebspaceInput, ChangeWebspaceResult, WebspaceChange } from '../../libs/contracts/operations.js';
import { lasting, quick, slow } from '../shared/activities.js';
import { Operation } from '../shared/step.js';

const LOCK_DEADLINE_MS = 10_000;

/** Changes startup delay, port and passthrough. */
export const changeConfig = change('config');
/** Adds and removes custom domains. */
export const changeDomains = change('domains');
/** Adds and removes forwarded ports. */
export const changePortForwards = change('ports');
/** Changes several of these at once. */
export const changeWebspace = change('change');

/** Follows a new name of the account: the default host goes with it, and the old name is free. */
export const renameWebspace = change('rename');
/** Turns a webspace off until it is resumed: nobody can boot it, visitors are led to the gateway. */
export const suspendWebspace = change('suspend', turnOff);
/** Lifts a suspension. The next visit boots the webspace. */
export const resumeWebspace = change('resume');

/** A container that ignores the request to stop is stopped by force after this. */
const GRACEFUL_STOP_SECONDS = 30;

async function turnOff(operation: Operation, acting: Acting): Promise<void> {
  await operation.step('stop', `Stop container ${acting.name}`, () =>
    lasting(`Stop container ${acting.name}`).turnOff(acting, GRACEFUL_STOP_SECONDS),
  );
}

/**
 * All of a change or nothing: new domains are proved before the lock is taken, what is new is claimed, the record is written, and the last look leads the routes there and releases every
 * claim that the record does not name (any more), also when the change failed on its way.
 */
function change(kind: ChangeKind, then: (operation: Operation, acting: Acting) => Promise<void> = async () => undefined) {
  return async ({ name, operationId, change: asked, onlyUnproved }: ChangeWebspaceInput): Promise<ChangeWebspaceResult> => {
    const acting: Acting = { kind, name, operationId, uid: '' };
    const operation = new Operation();
    const settle = () => lasting(`Publish ${name} as it is now`).settle(acting);
    return operation.run(async () => {
      const { add = [], remove = [] } = asked.domains ?? {};
      if (add.length > 0) {
        await operation.step('prove', `Ask DNS for the proof of ${add.join(', ')}`, () =>
          slow(`Proof of ${add.join(', ')}`).proveDomains(name, add),
        );
      }
      const wanted = onlyUnproved ? { domains: { add, remove: await unproved(operation, name, remove) } } : asked;
      operation.undoBy('settle', `Release what ${name} does not name, and free its lock`, settle);
      const result = await operation.stepWhenFree('record', summaryOf(wanted), LOCK_DEADLINE_MS, () =>
        quick(`Claim and write the record of ${name}`).changeRecord(acting, wanted),
      );
      await then(operation, { ...acting, uid: result.uid });
      operation.commit();
      // The record says so: a cancellation comes too late, and routes and lock have to follow.
      await CancellationScope.nonCancellable(() =>
        operation.step('settle', `Publish ${name}, release what it no longer names, free its lock`, settle),
      );
      return result;
    });
  };
}

/** Asked once more right before: what was found missing may be back. */
function unproved(operation: Operation, name: string, domains: readonly string[]): Promise<string[]> {
  return operation.step('ask-again', `Ask DNS again for the proof of ${domains.join(', ')}`, () =>
    slow(`Proof of ${domains.join(', ')}`).stillUnproved(name, domains),
  );
}

function summaryOf({ config, domains, ports, owner, suspension }: WebspaceChange): string {
  const parts = [
    ...(owner ? [`its account is called ${owner.username} now`] : []),
    ...(suspension?.to === 'suspended' ? [`suspended (${suspension.reason}) by ${suspension.by}`] : []),
    ...(suspension?.to === 'resumed' ? [`resumed by ${suspension.by}`] : []),
    ...Object.entries(config ?? {}).map(([key, value]) => `${key} = ${value}`),
    ...(domains?.add ?? []).map((domain) => `add ${domain}`),
    ...(domains?.remove ?? []).map((domain) => `remove ${domain}`),
    ...(ports?.add ?? []).map(({ protocol, external, internal }) => `forward ${protocol} ${external ?? 'any port'} to ${internal}`),
    ...(ports?.remove ?? []).map(({ protocol, external }) => `end forward ${protocol} ${external}`),
  ];
  return parts.join(', ');
}
