import type { z } from 'zod';
import type { BaseState, ChangeState, ProposedChange } from '#libs/domain/upgrade/proposed-change.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { RepositoryCalls } from './calls.js';
import { readChecks } from './checks.js';
import { findFile } from './files.js';
import { commitsAnswer, issueAnswer, oneCommitAnswer, onePullAnswer } from './schemas.js';
import type { ChangeQuestion } from './types.js';
import { editYaml, holdsValues } from './yaml-edits.js';

type Pull = z.output<typeof onePullAnswer>;
type Commit = z.output<typeof commitsAnswer>[number];

/** So many commits of the file since the merge are looked at for who took the values away. */
const LOOKED_AT = 30;

/** What has become of a change. Knows nothing of earlier looks but which commits are ours, which never changes. */
export async function readChange(calls: RepositoryCalls, question: ChangeQuestion, ours: Map<string, boolean>): Promise<ProposedChange> {
  const { base, file, proposed } = question;
  const about = { number: proposed.number, url: proposed.url, branch: proposed.branch, base, file };
  if (proposed.number === 0) return { ...about, state: { is: 'unneeded', base: await baseState(calls, question, undefined) } };
  const pull = await readPull(calls, question);
  return { ...about, url: pull.html_url, state: await stateOf(calls, question, { pull, ours }) };
}

export function readPull(calls: RepositoryCalls, { proposed, signal }: Pick<ChangeQuestion, 'proposed' | 'signal'>): Promise<Pull> {
  return calls.ask({
    path: '/pulls/{number}',
    parameters: { number: proposed.number },
    schema: onePullAnswer,
    ...{ signal, what: `read pull request ${proposed.number} of ${calls.name}` },
  });
}

async function stateOf(
  calls: RepositoryCalls,
  question: ChangeQuestion,
  { pull, ours }: { readonly pull: Pull; readonly ours: Map<string, boolean> },
): Promise<ChangeState> {
  const { base, signal } = question;
  if (pull.merged) {
    const commit = pull.merge_commit_sha ?? pull.head.sha;
    const at = pull.merged_at ?? '';
    const state = await baseState(calls, question, { commit, at });
    return { is: 'merged', ...(pull.merged_by === undefined ? {} : { by: pull.merged_by }), commit, at, base: state };
  }
  if (pull.state === 'closed') {
    const by = await closedBy(calls, question);
    return { is: 'closed', ...(by === undefined ? {} : { by }), at: pull.closed_at ?? '' };
  }
  if (pull.base.ref !== base) {
    throw new PlatformError(
      'CONFLICT',
      `${pull.html_url} was turned to the branch ${pull.base.ref}; the cluster follows ${base}. Turn it back.`,
      {
        details: { reason: 'other-base' },
      },
    );
  }
  const head = pull.head.sha;
  return {
    ...{ is: 'open', head, values: (await isOurs(calls, question, { pull, ours })) ? 'ours' : 'theirs' },
    ...{ checks: await readChecks(calls, head, signal), mergeable: mergeableOf(pull) },
  };
}

function mergeableOf({ mergeable, mergeable_state: state }: Pull): Extract<ChangeState, { is: 'open' }>['mergeable'] {
  if (mergeable === false || state === 'dirty') return 'conflict';
  if (mergeable !== true || state === 'unknown') return 'unknown';
  return state === 'blocked' || state === 'behind' || state === 'draft' ? 'blocked' : 'yes';
}

/** One commit that changes nothing but our values of our file. */
async function isOurs(
  calls: RepositoryCalls,
  { file, edits, signal }: ChangeQuestion,
  { pull, ours }: { readonly pull: Pull; readonly ours: Map<string, boolean> },
): Promise<boolean> {
  if (pull.commits !== 1 || pull.changed_files !== 1) return false;
  const known = ours.get(pull.head.sha);
  if (known !== undefined) return known;
  const ref = pull.head.sha;
  const { parents } = await calls.ask({
    path: '/commits/{ref}',
    parameters: { ref },
    schema: oneCommitAnswer,
    ...{ signal, what: `read the commit ${ref} of ${calls.name}` },
  });
  const before = parents[0] && (await findFile(calls, { file, ref: parents[0].sha, signal }));
  const after = await findFile(calls, { file, ref, signal });
  const is = before !== undefined && after !== undefined && isEdited({ file, before: before.text, after: after.text, edits });
  ours.set(ref, is);
  return is;
}

function isEdited({
  file,
  before,
  after,
  edits,
}: {
  file: string;
  before: string;
  after: string;
  edits: ChangeQuestion['edits'];
}): boolean {
  try {
    return editYaml(file, before, edits) === after;
  } catch (error) {
    if (error instanceof PlatformError) return false; // a file that we could not have edited
    throw error;
  }
}

async function closedBy(calls: RepositoryCalls, { proposed, signal }: ChangeQuestion): Promise<string | undefined> {
  const answer = await calls.try(
    {
      path: '/issues/{number}',
      parameters: { number: proposed.number },
      schema: issueAnswer,
      ...{ signal, what: `read who closed pull request ${proposed.number} of ${calls.name}` },
    },
    [403, 404, 410],
  );
  return answer.status === 'done' ? answer.data.closed_by : undefined;
}

/** Whether the base branch holds the values, and who took them away since `merged`. */
async function baseState(
  calls: RepositoryCalls,
  { base, file, edits, signal }: ChangeQuestion,
  merged: { readonly commit: string; readonly at: string } | undefined,
): Promise<BaseState> {
  const now = await findFile(calls, { file, ref: base, signal });
  if (now && holds(file, now.text, edits)) return { holds: 'ours' };
  if (!merged) return { holds: 'others' };
  const commits = await calls.ask({
    path: '/commits',
    parameters: { sha: base, path: file, since: merged.at, per_page: LOOKED_AT },
    schema: commitsAnswer,
    ...{ signal, what: `list the commits of ${file} in ${calls.name}` },
  });
  const at = commits.findIndex(({ sha }) => sha === merged.commit);
  for (const commit of (at >= 0 ? commits.slice(0, at) : commits).reverse()) {
    const then = await findFile(calls, { file, ref: commit.sha, signal });
    if (!then || !holds(file, then.text, edits)) return { holds: 'others', ...told(commit) };
  }
  return { holds: 'others' };
}

function holds(file: string, text: string, edits: ChangeQuestion['edits']): boolean {
  try {
    return holdsValues(file, text, edits);
  } catch (error) {
    if (error instanceof PlatformError) return false; // no YAML any more
    throw error;
  }
}

function told({ sha, author, commit }: Commit): { by?: string; commit: string; at?: string } {
  const by = author ?? commit.author?.name ?? undefined;
  const at = commit.author?.date ?? undefined;
  return { commit: sha, ...(by === undefined ? {} : { by }), ...(at === undefined ? {} : { at }) };
}
