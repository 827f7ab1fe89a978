import { text } from 'node:stream/consumers';
import { json, type Question, type Reply, refusal } from '../reply.js';
import { type Context, renderFile, renderGitCommit, renderOnePull, renderRef } from './render.js';
import { blobSha } from './repository.js';

/** Whoever calls with a token. */
export const TOKEN_LOGIN = 'webspaces-bot';

type Body = Readonly<Record<string, string | undefined>>;

/** Undefined for what GitHub does not know. */
export async function answerWrite(
  context: Context,
  kind: string,
  rest: readonly string[],
  { method, body: sent }: Question,
): Promise<Reply | undefined> {
  const raw = sent ? await text(sent) : '';
  const body = (raw === '' ? {} : JSON.parse(raw)) as Body;
  const [first = '', second] = rest;
  if (kind === 'git' && first === 'refs' && method === 'POST') return makeRef(context, body);
  if (kind === 'git' && first === 'refs' && second === 'heads' && method === 'DELETE') return removeRef(context, rest.slice(2).join('/'));
  if (kind === 'contents' && method === 'PUT') return putContents(context, rest.join('/'), body);
  if (kind !== 'pulls') return undefined;
  if (first === '' && method === 'POST') return openPull(context, body);
  if (second === 'merge' && method === 'PUT') return merge(context, Number(first), body);
  return second === undefined && method === 'PATCH' ? editPull(context, Number(first), body) : undefined;
}

function makeRef(context: Context, { ref = '', sha = '' }: Body): Reply {
  const branch = ref.replace(/^refs\/heads\//, '');
  const { repository } = context;
  if (repository.state.branches[branch] !== undefined) return refusal(422, 'Reference already exists');
  if (!repository.at(sha)) return refusal(422, 'Object does not exist');
  repository.branch(branch, sha);
  return json(201, renderRef(context, branch, sha));
}

function removeRef({ repository }: Context, branch: string): Reply {
  if (repository.state.branches[branch] === undefined) return refusal(422, 'Reference does not exist');
  repository.removeBranch(branch);
  return { status: 204 };
}

function putContents(context: Context, path: string, { branch = 'main', sha, message = '', content = '' }: Body): Reply {
  const { repository } = context;
  if (repository.state.branches[branch] === undefined) return refusal(404, `Branch ${branch} not found`);
  const there = repository.tip(branch).files[path];
  if (there !== undefined && sha === undefined) return refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.');
  if ((there === undefined ? undefined : blobSha(there)) !== sha) return refusal(409, `${path} does not match ${sha}`);
  const written = Buffer.from(content, 'base64').toString();
  const commit = repository.commit(branch, { [path]: written }, { message, by: TOKEN_LOGIN });
  const status = there === undefined ? 201 : 200;
  return json(status, { content: renderFile(context, { path, text: written, ref: branch }), commit: renderGitCommit(context, commit) });
}

function openPull(context: Context, { head = '', base = '', title = '', body = '' }: Body): Reply {
  const { repository, name } = context;
  const { branches, pulls } = repository.state;
  if (title === '' || title.length > 256) return invalid({ field: 'title', code: title === '' ? 'missing_field' : 'custom' });
  const field = branches[head] === undefined ? 'head' : 'base';
  if (branches[head] === undefined || branches[base] === undefined) return invalid({ field, code: 'invalid' });
  if (pulls.some((pull) => pull.state === 'open' && pull.head === head && pull.base === base)) {
    return invalid({ code: 'custom', message: `A pull request already exists for ${name.split('/')[0]}:${head}.` });
  }
  if (repository.ahead(branches[base], branches[head]).length === 0) {
    return invalid({ code: 'custom', message: `No commits between ${base} and ${head}` });
  }
  return json(201, renderOnePull(context, repository.openPull({ head, base, title, body, by: TOKEN_LOGIN })));
}

function editPull(context: Context, number: number, { state }: Body): Reply | undefined {
  const { repository } = context;
  const pull = repository.pull(number);
  if (!pull) return undefined;
  if (state === 'closed' && pull.state === 'open') repository.close(number, TOKEN_LOGIN);
  if (state === 'open' && pull.merged) return invalid({ field: 'state', code: 'invalid' });
  if (state === 'open' && pull.state === 'closed') repository.reopen(number);
  return json(200, renderOnePull(context, repository.pull(number) ?? pull));
}

/** By a merge commit, whatever way is asked for. */
function merge({ repository }: Context, number: number, { sha }: Body): Reply | undefined {
  const pull = repository.pull(number);
  if (!pull) return undefined;
  if (pull.state !== 'open' || !repository.mergedFiles(pull)) return refusal(405, 'Pull Request is not mergeable');
  if (repository.state.rules.reviews === 'needed') {
    return refusal(405, 'At least 1 approving review is required by reviewers with write access.');
  }
  if (sha !== undefined && sha !== pull.headSha) return refusal(409, 'Head branch was modified. Review and try the merge again.');
  const commit = repository.merge(number, { by: TOKEN_LOGIN });
  return json(200, { sha: commit.sha, merged: true, message: 'Pull Request successfully merged' });
}

function invalid(error: Readonly<Record<string, string>>): Reply {
  const errors = [{ resource: 'PullRequest', ...error }];
  return json(422, { message: 'Validation Failed', errors, documentation_url: 'https://docs.github.com/rest/pulls/pulls', status: '422' });
}
