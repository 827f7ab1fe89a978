import { z } from 'zod';
import type { GithubConfig } from '#libs/config/github.js';
import { createGithubApi } from '#libs/github/create-github.js';
import type { Repository } from '#libs/github/types.js';
import { RepositoryCalls } from './calls.js';
import { findFile, pathOf } from './files.js';
import { proposeChange } from './propose.js';
import { readChange, readPull } from './read-change.js';
import { mergeAnswer, onePullAnswer } from './schemas.js';
import type { Gitops, MergeAnswer, MergeRequest } from './types.js';

/** Changes by pull request in repositories of the GitHub that is configured. */
export function createGitops(config: GithubConfig, { now = Date.now }: { readonly now?: () => number } = {}): Gitops {
  const { api, http } = createGithubApi(config, { now });
  const callsOf = (repository: Repository) => new RepositoryCalls(api, repository);
  const ours = new Map<string, boolean>();
  return {
    readText: async ({ repository, ...question }) => (await findFile(callsOf(repository), question))?.text,
    proposeChange: (request) => proposeChange(callsOf(request.repository), request.repository.owner, request),
    readChange: (question) => readChange(callsOf(question.repository), question, ours),
    mergeChange: (request) => mergeChange(callsOf(request.repository), request),
    closeChange: (question) => closeChange(callsOf(question.repository), question),
    close: () => http.close(),
  };
}

/** A refusal is an answer, since people and rules of the repository have their say: 405 not now, 409 another head, 422. */
async function mergeChange(calls: RepositoryCalls, { number, head, signal }: MergeRequest): Promise<MergeAnswer> {
  const parameters = { number, sha: head, merge_method: 'merge' };
  const what = `merge pull request ${number} of ${calls.name}`;
  const answer = await calls.try(
    { method: 'PUT', path: '/pulls/{number}/merge', parameters, schema: mergeAnswer, signal, what },
    [405, 409, 422],
  );
  return answer.status === 'done' ? { is: 'merged', commit: answer.data.sha } : { is: 'refused', says: answer.says };
}

async function closeChange(
  calls: RepositoryCalls,
  { proposed, signal }: Parameters<Gitops['closeChange']>[0],
): Promise<'closed' | 'merged'> {
  const { number, branch } = proposed;
  if (number === 0) return 'closed';
  const pull = await readPull(calls, { proposed, signal });
  if (pull.merged) return 'merged';
  if (pull.state === 'open') {
    const what = `close pull request ${number} of ${calls.name}`;
    const parameters = { number, state: 'closed' };
    const closed = await calls.try({ method: 'PATCH', path: '/pulls/{number}', parameters, schema: onePullAnswer, signal, what }, [422]);
    // Refused when somebody merged it in between.
    if ((closed.status === 'done' ? closed.data : await readPull(calls, { proposed, signal })).merged) return 'merged';
  }
  const what = `remove the branch ${branch} of ${calls.name}`;
  const parameters = { branch: pathOf(branch) };
  // 422 is GitHub's word for a branch that is not there; a rule that keeps it is none of our business.
  await calls.try({ method: 'DELETE', path: '/git/refs/heads/{+branch}', parameters, schema: z.unknown(), signal, what }, [404, 409, 422]);
  return 'closed';
}
