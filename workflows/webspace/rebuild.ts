import type { Acting, WebspaceFacts } from '../../libs/contracts/activities.js';
import { lasting, slow } from '../shared/activities.js';
import type { Operation } from '../shared/step.js';

/** The steps that make `Webspace`, claims and routes again from the record that was read under the lock. Gives the phase. */
export async function rebuild(operation: Operation, acting: Acting, facts: WebspaceFacts): Promise<string> {
  const { name } = acting;
  await operation.step('claims', `Restore the claims of ${name}`, () => slow(`Restore claims of ${name}`).restoreClaims(acting, facts));
  await operation.step('publish', `Publish ${facts.host}`, () => slow(`Publish ${facts.host}`).ensureProjection(acting, facts));
  const { phase } = await operation.step('settle', `Look last and free the lock of ${name}`, () =>
    lasting(`Settle ${name}`).settle(acting),
  );
  return phase;
}
