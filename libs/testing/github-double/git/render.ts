import { renderRepository } from '../deliver.js';
import { stableId } from '../model.js';
import { iso, nodeId, ownerOf, type Places, renderUser } from '../render.js';
import { blobSha, type GitRepository, type StoredCheck, type StoredCommit, type StoredPull } from './repository.js';

/** Of which repository, and where. */
export interface Context {
  readonly name: string;
  readonly repository: GitRepository;
  readonly places: Places;
}

const time = (text: string) => iso(new Date(text));
const urlOf = ({ name, places }: Context) => `${places.apiUrl}/repos/${name}`;
const htmlOf = ({ name, places }: Context) => `${places.webUrl}/${name}`;

export function renderRef(context: Context, branch: string, sha: string): Record<string, unknown> {
  const url = urlOf(context);
  return {
    ...{ ref: `refs/heads/${branch}`, node_id: nodeId('REF', stableId(branch)), url: `${url}/git/refs/heads/${branch}` },
    object: { type: 'commit', sha, url: `${url}/git/commits/${sha}` },
  };
}

export function renderFile(context: Context, { path, text, ref }: { path: string; text: string; ref: string }): Record<string, unknown> {
  const sha = blobSha(text);
  const [url, html, git] = [
    `${urlOf(context)}/contents/${path}?ref=${ref}`,
    `${htmlOf(context)}/blob/${ref}/${path}`,
    `${urlOf(context)}/git/blobs/${sha}`,
  ];
  return {
    ...{ name: path.split('/').at(-1), path, sha, size: Buffer.byteLength(text), url, html_url: html, git_url: git, type: 'file' },
    ...{ download_url: `${htmlOf(context)}/raw/${ref}/${path}`, _links: { self: url, git, html } },
  };
}

/** GitHub breaks base64 into lines. */
export function renderContent(text: string): Record<string, unknown> {
  return { encoding: 'base64', content: Buffer.from(text).toString('base64').replaceAll(/.{60}/g, '$&\n') };
}

export function renderGitCommit(context: Context, { sha, parents, message, by, at }: StoredCommit): Record<string, unknown> {
  const who = { name: by, email: `${by}@users.example.invalid`, date: time(at) };
  return {
    ...{
      sha,
      node_id: nodeId('C', stableId(sha)),
      url: `${urlOf(context)}/git/commits/${sha}`,
      html_url: `${htmlOf(context)}/commit/${sha}`,
    },
    ...{ author: who, committer: who, message, tree: { sha, url: `${urlOf(context)}/git/trees/${sha}` } },
    parents: parents.map((parent) => parentOf(context, parent)),
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
  };
}

export function renderCommit(context: Context, commit: StoredCommit): Record<string, unknown> {
  const url = `${urlOf(context)}/commits/${commit.sha}`;
  const { sha, node_id, html_url, parents, author, committer, message, tree, verification } = renderGitCommit(context, commit);
  const user = renderUser(commit.by, context.places);
  return {
    ...{ sha, node_id, url, html_url, comments_url: `${url}/comments`, parents, author: user, committer: user },
    commit: { author, committer, message, tree, verification, comment_count: 0, url: `${urlOf(context)}/git/commits/${commit.sha}` },
  };
}

export function renderPull(context: Context, pull: StoredPull): Record<string, unknown> {
  const [url, html, issue] = [
    `${urlOf(context)}/pulls/${pull.number}`,
    `${htmlOf(context)}/pull/${pull.number}`,
    `${urlOf(context)}/issues/${pull.number}`,
  ];
  const id = stableId(html);
  const statuses = `${urlOf(context)}/statuses/${pull.headSha}`;
  const links = {
    ...{ self: url, html, issue, comments: `${issue}/comments`, review_comments: `${url}/comments` },
    ...{ review_comment: `${urlOf(context)}/pulls/comments{/number}`, commits: `${url}/commits`, statuses },
  };
  return {
    ...{ url, id, node_id: nodeId('PR', id), html_url: html, diff_url: `${html}.diff`, patch_url: `${html}.patch`, issue_url: issue },
    ...{
      number: pull.number,
      state: pull.state,
      locked: false,
      title: pull.title,
      user: renderUser(pull.by, context.places),
      body: pull.body,
    },
    ...{ created_at: time(pull.createdAt), updated_at: time(pull.closed?.at ?? pull.createdAt), draft: false },
    ...{ closed_at: pull.closed ? time(pull.closed.at) : null, merged_at: pull.merged ? time(pull.merged.at) : null },
    ...{ merge_commit_sha: pull.merged?.commit ?? null, assignee: null, assignees: [], requested_reviewers: [], requested_teams: [] },
    ...{ labels: [], milestone: null, auto_merge: null, author_association: 'CONTRIBUTOR' },
    ...{ commits_url: links.commits, review_comments_url: links.review_comments, review_comment_url: links.review_comment },
    ...{ comments_url: links.comments, statuses_url: statuses },
    _links: Object.fromEntries(Object.entries(links).map(([key, href]) => [key, { href }])),
    head: renderEnd(context, pull.head, pull.headSha),
    base: renderEnd(context, pull.base, pull.baseSha),
  };
}

/** What only the answer for one pull request has. */
export function renderOnePull(context: Context, pull: StoredPull): Record<string, unknown> {
  const { repository } = context;
  const commits = repository.ahead(
    pull.merged ? (repository.at(pull.merged.commit)?.parents[0] ?? pull.baseSha) : pull.baseSha,
    pull.headSha,
  );
  const files = new Set(commits.flatMap((commit) => changedFiles(repository, commit)));
  const mergeable = pull.state === 'open' ? repository.mergedFiles(pull) !== undefined : null;
  return {
    ...renderPull(context, pull),
    ...{ merged: pull.merged !== undefined, merged_by: pull.merged ? renderUser(pull.merged.by, context.places) : null },
    ...{ mergeable, rebaseable: mergeable, mergeable_state: mergeableState(repository, pull, mergeable) },
    ...{ comments: 0, review_comments: 0, maintainer_can_modify: false, commits: commits.length, changed_files: files.size },
    ...{ additions: files.size, deletions: files.size },
  };
}

export function renderIssue(context: Context, pull: StoredPull): Record<string, unknown> {
  const url = `${urlOf(context)}/issues/${pull.number}`;
  const { id, node_id, html_url, number, state, locked, title, user, body, created_at, updated_at, closed_at } = renderPull(context, pull);
  return {
    ...{
      url,
      id,
      node_id,
      html_url,
      number,
      state,
      locked,
      title,
      user,
      body,
      created_at,
      updated_at,
      closed_at,
      labels: [],
      assignee: null,
    },
    ...{ milestone: null, comments: 0, comments_url: `${url}/comments`, events_url: `${url}/events`, labels_url: `${url}/labels{/name}` },
    ...{ repository_url: urlOf(context), closed_by: pull.closed ? renderUser(pull.closed.by, context.places) : null },
  };
}

const RUN = { pending: ['in_progress', null], passed: ['completed', 'success'], failed: ['completed', 'failure'] } as const;

export function renderCheckRun(context: Context, sha: string, { name, state }: StoredCheck): Record<string, unknown> {
  const id = stableId(`${sha} ${name}`);
  const [status, conclusion] = RUN[state];
  const url = `${urlOf(context)}/check-runs/${id}`;
  const output = { title: null, summary: null, text: null, annotations_count: 0, annotations_url: `${url}/annotations` };
  return {
    ...{ id, node_id: nodeId('CR', id), head_sha: sha, external_id: '', url, html_url: `${htmlOf(context)}/runs/${id}`, details_url: null },
    ...{ name, status, conclusion, started_at: null, completed_at: null, output, check_suite: null, app: null, pull_requests: [] },
  };
}

const STATUS = { pending: 'pending', passed: 'success', failed: 'failure' } as const;

export function renderCombined(context: Context, sha: string, checks: readonly StoredCheck[]): Record<string, unknown> {
  const url = `${urlOf(context)}/commits/${sha}`;
  const at = iso(new Date());
  const statuses = checks.map(({ name, state }) => {
    const id = stableId(`${sha} ${name}`);
    const of = {
      id,
      node_id: nodeId('SC', id),
      url: `${urlOf(context)}/statuses/${sha}`,
      avatar_url: null,
      target_url: null,
      description: null,
    };
    return { ...of, state: STATUS[state], context: name, created_at: at, updated_at: at };
  });
  const state = checks.some((one) => one.state === 'failed')
    ? 'failure'
    : checks.every((one) => one.state === 'passed') && checks[0]
      ? 'success'
      : 'pending';
  const repository = renderRepository(context.name, context.places);
  return { state, statuses, sha, total_count: statuses.length, repository, commit_url: url, url: `${url}/status` };
}

export function changedFiles(repository: GitRepository, { files, parents }: StoredCommit): string[] {
  const before = repository.at(parents[0] ?? '')?.files ?? {};
  return [...new Set([...Object.keys(files), ...Object.keys(before)])].filter((path) => files[path] !== before[path]);
}

function mergeableState({ state }: GitRepository, pull: StoredPull, mergeable: boolean | null): string {
  if (mergeable === null) return 'unknown';
  if (!mergeable) return 'dirty';
  if (state.rules.reviews === 'needed') return 'blocked';
  return (state.checks[pull.headSha] ?? []).some((check) => check.state !== 'passed') ? 'unstable' : 'clean';
}

function renderEnd(context: Context, ref: string, sha: string): Record<string, unknown> {
  const { name, places } = context;
  const user = renderUser(ownerOf(name), places);
  return { label: `${ownerOf(name)}:${ref}`, ref, sha, user, repo: renderRepository(name, places) };
}

function parentOf(context: Context, sha: string): Record<string, unknown> {
  return { sha, url: `${urlOf(context)}/commits/${sha}`, html_url: `${htmlOf(context)}/commit/${sha}` };
}
