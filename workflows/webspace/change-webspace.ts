import type { Acting } from '../../libs/contracts/activities.js';
import type { ChangeKind, ChangeWebspaceInput, ChangeWebspaceResult, WebspaceChange } from '../../libs/contracts/operations.js';
import { lasting, quick } from '../shared/activities.js';
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

/**
 * All of a change or nothing: what is new is claimed, the record is written, and the last look leads the routes there and releases every
 * claim that the record does not name (any more), also when the change failed on its way.
 */
function change(kind: ChangeKind) {
  return async ({ name, operationId, change: wanted }: ChangeWebspaceInput): Promise<ChangeWebspaceResult> => {
    const acting: Acting = { kind, name, operationId, uid: '' };
    const operation = new Operation();
    const settle = () => lasting(`Publish ${name} as it is now`).settle(acting);
    return operation.run(async () => {
      operation.undoBy('settle', `Release what ${name} does not name, and free its lock`, settle);
      const result = await operation.stepWhenFree('record', summaryOf(wanted), LOCK_DEADLINE_MS, () =>
        quick(`Claim and write the record of ${name}`).changeRecord(acting, wanted),
      );
      operation.commit();
      await operation.step('settle', `Publish ${name}, release what it no longer names, free its lock`, settle);
      return result;
    });
  };
}

function summaryOf({ config, domains, ports }: WebspaceChange): string {
  const parts = [
    ...Object.entries(config ?? {}).map(([key, value]) => `${key} = ${value}`),
    ...(domains?.add ?? []).map((domain) => `add ${domain}`),
    ...(domains?.remove ?? []).map((domain) => `remove ${domain}`),
    ...(ports?.add ?? []).map(({ protocol, external, internal }) => `forward ${protocol} ${external ?? 'any port'} to ${internal}`),
    ...(ports?.remove ?? []).map(({ protocol, external }) => `end forward ${protocol} ${external}`),
  ];
  return parts.join(', ');
}
