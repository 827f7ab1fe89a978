import { CancellationScope } from '@temporalio/workflow';
import type { Acting } from '../../libs/contracts/activities.js';
import type { ImportImageInput, ImportImageResult } from '../../libs/contracts/images.js';
import type { Requester } from '../../libs/contracts/operations.js';
import { imageStep, imageTransfer } from '../shared/activities.js';
import { Approval } from '../shared/approval.js';
import { Operation } from '../shared/step.js';

/** Brings one version of an image into LXD, with the evidence of where it comes from, and then points the alias at it. */
export async function importImage(input: ImportImageInput): Promise<ImportImageResult> {
  const { alias, name, operationId } = input;
  const acting: Acting = { kind: 'import', name, operationId, uid: '' };
  const operation = new Operation();
  const approval = new Approval(input.approvalSeconds);
  return operation.run(async () => {
    const approvedBy = await approval.given(operation, `the import of ${versionOf(input)} as ${alias}`);
    operation.undoBy('clean-up', `Remove what was made for ${alias}`, () =>
      imageTransfer(`Remove what was made for ${alias}`).abandonImport(acting),
    );
    const lock = await operation.step('lock', `Lock the alias ${alias}`, () =>
      imageTransfer(`Lock the alias ${alias}`).takeImageLock(acting, input),
    );
    if ('joins' in lock) {
      operation.commit();
      const { workflowId } = lock.joins;
      const result = await operation.step('join', `Wait for ${workflowId}, which imports the same`, () =>
        imageTransfer(`Wait for ${workflowId}`).awaitImport(lock.joins),
      );
      return { ...result, joined: workflowId };
    }
    return importLocked(operation, acting, input, approvedBy);
  });
}

async function importLocked(
  operation: Operation,
  acting: Acting,
  input: ImportImageInput,
  approvedBy: Requester | undefined,
): Promise<ImportImageResult> {
  const { alias } = input;
  const plan = await operation.step('resolve', `Look for ${versionOf(input)}`, () =>
    imageStep(`Look for ${versionOf(input)}`).resolveImport(acting, input),
  );
  const what = `${plan.source} ${plan.version} (${plan.architecture})`;
  await operation.step('space', `Check the space for ${what}`, () => imageStep(`Check the space for ${what}`).checkSpace(acting, plan));
  const fetched = await operation.step('fetch', `Download ${what}`, () => imageTransfer(`Download ${what}`).fetchImage(acting, plan));
  await operation.step('verify', `Verify ${what}`, () => imageStep(`Verify ${what}`).verifyImage(acting, plan, fetched));
  const image = await operation.step('create', `Bring ${what} into LXD`, () =>
    imageTransfer(`Bring ${what} into LXD`).createImage(acting, { input, plan, fetched, ...(approvedBy ? { approvedBy } : {}) }),
  );
  const { fingerprint, transferredBytes } = fetched;
  const at = fingerprint.slice(0, 12);
  // From here on it goes to its end: an alias that is half a minute late is better than one that somebody has seen move and come back.
  const { moved, removed } = await CancellationScope.nonCancellable(async () => {
    const moved = await operation.step('alias', `Point ${alias} at ${at}`, () =>
      imageStep(`Point ${alias} at ${at}`).moveAlias(acting, alias, fingerprint),
    );
    const removed = await operation.step('keep', `Remove older versions of ${alias}`, () =>
      imageTransfer(`Remove older versions of ${alias}`).removeOldVersions(acting, alias, input.keep),
    );
    await operation.step('finish', `Clear the staging folder and free the lock of ${alias}`, () =>
      imageTransfer(`Clear the staging folder and free the lock of ${alias}`).finishImport(acting, plan),
    );
    return { moved, removed };
  });
  const { source, version, architecture } = plan;
  return {
    ...{ alias, fingerprint, source, version, architecture, image, removed, transferredBytes },
    ...(moved.previous === undefined ? {} : { previous: moved.previous }),
    ...(approvedBy ? { approvedBy } : {}),
  };
}

/** For people: what was asked for. */
function versionOf({ source }: ImportImageInput): string {
  const { version } = source;
  switch (source.kind) {
    case 'github':
      return `github:${source.owner}/${source.repository}/${source.image}${version === undefined ? '' : `@${version}`}`;
    case 'simplestreams':
      return `${source.server} ${source.alias}${version === undefined ? '' : `@${version}`}`;
    case 'upload':
      return `an upload${version === undefined ? '' : ` (${version})`}`;
  }
}
