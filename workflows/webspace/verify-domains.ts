import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { ChildWorkflowFailure, executeChild, ParentClosePolicy, workflowInfo } from '@temporalio/workflow';
import type { DomainChecks } from '../../libs/contracts/activities.js';
import { SEARCH_ATTRIBUTES, workflowIdOf } from '../../libs/contracts/ids.js';
import { type VerifyDomainsResult, WORKFLOW_TYPES } from '../../libs/contracts/operations.js';
import { slow } from '../shared/activities.js';
import { Operation } from '../shared/step.js';
import type { changeDomains } from './change-webspace.js';

type Release = DomainChecks['toRelease'][number];

const KEYWORDS = {
  webspace: defineSearchAttributeKey(SEARCH_ATTRIBUTES.webspace, 'KEYWORD'),
  kind: defineSearchAttributeKey(SEARCH_ATTRIBUTES.kind, 'KEYWORD'),
};

/** Asks for the proof of every custom domain, and releases those whose grace time is over, each by an operation of its webspace. */
export async function verifyDomains(): Promise<VerifyDomainsResult> {
  const operation = new Operation();
  return operation.run(async () => {
    const { toRelease, ...found } = await operation.step('ask', 'Ask DNS for the proof of every custom domain', () =>
      slow('Proofs of custom domains').checkDomains(),
    );
    let released = 0;
    for (const release of toRelease) {
      const { name, domains } = release;
      if (await operation.step('release', `Release ${domains.join(', ')} of ${name}`, () => done(release))) released++;
    }
    return { ...found, released };
  });
}

/** Whether the release came to its end; one that fails is in Temporal UI and comes back with the next round. */
async function done({ name, domains }: Release): Promise<boolean> {
  const operationId = `verify-${workflowInfo().runId}`;
  const change = { domains: { add: [], remove: domains } };
  const requestedBy = { subject: 'sweep', username: 'sweep' };
  try {
    await executeChild<typeof changeDomains>(WORKFLOW_TYPES.domains, {
      workflowId: workflowIdOf('domains', name, operationId),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `release ${domains.join(', ')} of ${name}: the proof is missing`.slice(0, 150),
      memo: { requestedBy },
      typedSearchAttributes: new TypedSearchAttributes([
        { key: KEYWORDS.webspace, value: name },
        { key: KEYWORDS.kind, value: 'domains' },
      ]),
      args: [{ name, operationId, requestedBy, change, onlyUnproved: true }],
    });
    return true;
  } catch (error) {
    if (error instanceof ChildWorkflowFailure) return false;
    throw error;
  }
}
