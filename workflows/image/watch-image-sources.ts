import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { startChild, WorkflowIdReusePolicy } from '@temporalio/workflow';
import { workflowIdOf } from '../../libs/contracts/ids.js';
import type { FoundVersion, WatchImageSourcesInput, WatchImageSourcesResult } from '../../libs/contracts/images.js';
import { WORKFLOW_TYPES } from '../../libs/contracts/operations.js';
import { imageStep } from '../shared/activities.js';
import { childOptionsOf } from '../shared/operations.js';
import { Operation } from '../shared/step.js';

/** Versions that a step names. */
const NAMED = 10;

/**
 * Looks at the configured sources and begins an import for each version that its alias does not have. The operation's id follows from source, version
 * and alias, so that a version is imported once however often it is seen; one that failed is tried again at the next look.
 */
export async function watchImageSources(input: WatchImageSourcesInput = {}): Promise<WatchImageSourcesResult> {
  const operation = new Operation();
  return operation.run(async () => {
    const look = await operation.step('look', input.repository ?? 'All sources', () =>
      imageStep('Look for new versions').checkSources(input),
    );
    const begun: string[] = [];
    if (look.found.length > 0) {
      await operation.step('import', summaryOf(look.found), async () => {
        for (const found of look.found)
          if (await begin(found)) begun.push(workflowIdOf('import', found.input.name, found.input.operationId));
      });
    }
    // Only the Schedule's looks, which come one after the other, prune.
    const pruned =
      input.repository === undefined
        ? await operation.step('prune', 'Cached images that nobody uses', () => imageStep('Prune cached images').pruneImages())
        : [];
    return { checked: look.checked, begun, known: look.found.length - begun.length, pruned, problems: look.problems };
  });
}

function summaryOf(found: readonly FoundVersion[]): string {
  const named = found.slice(0, NAMED).map(({ source, version }) => `${source} ${version}`);
  return `${named.join(', ')}${found.length > NAMED ? ` and ${found.length - NAMED} more` : ''}`;
}

/** Not waited for: an import may wait days for its approval. False when it is under way or done already. */
async function begin({ input }: FoundVersion): Promise<boolean> {
  const { name, operationId, requestedBy } = input;
  try {
    await startChild(WORKFLOW_TYPES.import, {
      ...childOptionsOf({ kind: 'import', name, owner: requestedBy.subject, operationId, requestedBy }),
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
      args: [input],
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}
