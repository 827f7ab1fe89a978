import type { Proposal } from '#libs/contracts/upgrade-activities.js';
import { pullRequestText, templateChangeKind } from '#libs/domain/upgrade/pull-request-text.js';
import { mergeableHead, readMerge } from '#libs/domain/upgrade/read-merge.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseRepository } from '#libs/github/repository.js';
import { templateEdits } from './template-edits.js';
import type { Gitops, GitopsSettings, TemplateRequest, TemplateWay } from './types.js';

/** The template of a cluster changed by pull requests in the repository that it follows. */
export function createTemplateWay(settings: GitopsSettings, gitops: Gitops): TemplateWay {
  const { base, file } = settings;
  const [owner = '', name = ''] = settings.repository.split('/');
  const repository = parseRepository(owner, name);
  const place = { repository, base, file };
  return {
    async apply(request, signal) {
      const text = await gitops.readText({ repository, file, ref: base, signal });
      if (text === undefined) throw noFile(settings);
      const { plan, build, probes } = request;
      const edits = templateEdits(settings, text, { build, probes });
      const words = pullRequestText(plan, templateChangeKind(plan, { build, probes }));
      return { ...(await gitops.proposeChange({ ...place, edits, branch: branchOf(request), ...words, signal })), values: edits };
    },
    async read(proposal, { shown, signal } = {}) {
      const terms = { merge: settings.merge, requiredChecks: settings.requiredChecks ?? [], shown };
      const question = { ...place, edits: proposal.values, proposed: proposedOf(proposal), signal };
      const change = await gitops.readChange(question);
      const head = mergeableHead(change, terms);
      if (head === undefined) return readMerge(change, terms);
      const merged = await gitops.mergeChange({ repository, number: proposal.number, head, signal });
      if (merged.is === 'merged') return readMerge(await gitops.readChange(question), terms);
      return { is: 'waiting', reason: `GitHub does not merge pull request ${change.url} now: ${merged.says}` };
    },
    async withdraw(proposal, signal) {
      await gitops.closeChange({ repository, base, proposed: proposedOf(proposal), signal });
    },
    close: () => gitops.close(),
  };
}

/** The same step of the same operation has the same branch, whoever runs it and how often. */
function branchOf({ operationId, stepId }: Pick<TemplateRequest, 'operationId' | 'stepId'>): string {
  return ['webspaces', operationId, stepId].map((part) => part.replaceAll(/[^A-Za-z0-9-]+/g, '-')).join('/');
}

function proposedOf({ number, url, branch }: Proposal) {
  return { number, url, branch };
}

function noFile({ file, base, repository }: GitopsSettings): PlatformError {
  return new PlatformError(
    'NOT_FOUND',
    `${repository} has no file ${file} in ${base}, or our credential may not see it. Nothing was changed.`,
    {
      details: { reason: 'no-file', file },
    },
  );
}
