import type { Places } from '../render.js';
import { json, type Question, type Reply, refusal } from '../reply.js';
import {
  type Context,
  changedFiles,
  renderCheckRun,
  renderCombined,
  renderCommit,
  renderContent,
  renderFile,
  renderIssue,
  renderOnePull,
  renderPull,
  renderRef,
} from './render.js';
import type { GitStore } from './store.js';
import { answerWrite } from './write-routes.js';

const KINDS: ReadonlySet<string> = new Set(['git', 'contents', 'commits', 'pulls', 'issues']);

export interface GitQuestion {
  readonly question: Question;
  /** '' for anonymous. */
  readonly identity: string;
  readonly mayWrite: 'yes' | 'no';
  readonly places: Places;
}

/** `/repos/{owner}/{repo}/{git,contents,commits,pulls,issues}/…` of a repository with files; undefined for anything else. */
export async function answerGit(store: GitStore, { question, identity, mayWrite, places }: GitQuestion): Promise<Reply | undefined> {
  const [root, owner, repo, kind = '', ...rest] = question.parts;
  const name = `${owner}/${repo}`;
  const repository = store.find(name);
  if (root !== 'repos' || !KINDS.has(kind) || !repository) return undefined;
  const context = { name, repository, places };
  if (question.method === 'GET') return answerRead(context, kind, rest, question.query) ?? refusal(404, 'Not Found');
  if (identity === '') return refusal(401, 'Requires authentication');
  if (mayWrite === 'no') return refusal(403, 'Resource not accessible by personal access token');
  return (await answerWrite(context, kind, rest, question)) ?? refusal(404, 'Not Found');
}

function answerRead(context: Context, kind: string, rest: readonly string[], query: URLSearchParams): Reply | undefined {
  const { repository } = context;
  const [first = '', second] = rest;
  switch (kind) {
    case 'git': {
      const branch = rest.slice(2).join('/');
      const sha = first === 'ref' && second === 'heads' ? repository.state.branches[branch] : undefined;
      return sha === undefined ? undefined : json(200, renderRef(context, branch, sha));
    }
    case 'contents':
      return readContents(context, rest.join('/'), query.get('ref') ?? 'main');
    case 'commits':
      return first === '' ? listCommits(context, query) : readCommit(context, first, second);
    case 'issues': {
      const pull = repository.pull(Number(first));
      return pull && json(200, renderIssue(context, pull));
    }
    default:
      return readPulls(context, first, query);
  }
}

function readContents(context: Context, path: string, ref: string): Reply | undefined {
  const commit = context.repository.at(ref);
  if (!commit) return refusal(404, `No commit found for the ref ${ref}`);
  const text = commit.files[path];
  if (text !== undefined) return json(200, { ...renderFile(context, { path, text, ref }), ...renderContent(text) });
  const inside = Object.entries(commit.files).filter(([name]) => name.startsWith(`${path}/`));
  return inside.length === 0
    ? undefined
    : json(
        200,
        inside.map(([name, its]) => renderFile(context, { path: name, text: its, ref })),
      );
}

function listCommits(context: Context, query: URLSearchParams): Reply | undefined {
  const { repository } = context;
  const tip = repository.at(query.get('sha') ?? 'main');
  if (!tip) return undefined;
  const [path, since, count] = [query.get('path'), Date.parse(query.get('since') ?? ''), Number(query.get('per_page') ?? 30)];
  const found = repository
    .history(tip.sha)
    .filter((commit) => commit.parents.length > 0)
    .filter((commit) => path === null || changedFiles(repository, commit).includes(path))
    // GitHub's times have no milliseconds.
    .filter(({ at }) => Number.isNaN(since) || Date.parse(at) >= Math.floor(since / 1000) * 1000);
  return json(
    200,
    found.slice(0, count).map((commit) => renderCommit(context, commit)),
  );
}

function readCommit(context: Context, ref: string, what: string | undefined): Reply | undefined {
  const commit = context.repository.at(ref);
  if (!commit) return refusal(422, `No commit found for SHA: ${ref}`);
  const checks = context.repository.state.checks[commit.sha] ?? [];
  const runs = checks.filter(({ kind }) => kind === 'run');
  if (what === undefined) return json(200, renderCommit(context, commit));
  if (what === 'check-runs')
    return json(200, { total_count: runs.length, check_runs: runs.map((run) => renderCheckRun(context, commit.sha, run)) });
  return what === 'status'
    ? json(
        200,
        renderCombined(
          context,
          commit.sha,
          checks.filter(({ kind }) => kind === 'status'),
        ),
      )
    : undefined;
}

function readPulls(context: Context, number: string, query: URLSearchParams): Reply | undefined {
  const { repository, name } = context;
  if (number !== '') {
    const pull = repository.pull(Number(number));
    return pull && json(200, renderOnePull(context, pull));
  }
  const [head, base, state] = [query.get('head'), query.get('base'), query.get('state') ?? 'open'];
  const owner = name.split('/')[0];
  const found = repository.state.pulls
    .flatMap((one) => repository.pull(one.number) ?? [])
    .filter((pull) => (state === 'all' || pull.state === state) && (base === null || pull.base === base))
    .filter((pull) => head === null || head === `${owner}:${pull.head}`);
  return json(
    200,
    found.reverse().map((pull) => renderPull(context, pull)),
  );
}
