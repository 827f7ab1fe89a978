import { PlatformError } from '#libs/errors/platform-error.js';
import type { RepositoryCalls } from './calls.js';
import { findFile, pathOf, readFile } from './files.js';
import { commitAnswer, onePullAnswer, pullsAnswer, refAnswer } from './schemas.js';
import type { ChangeRequest, ProposedRef } from './types.js';
import { editYaml, holdsValues } from './yaml-edits.js';

/** GitHub cuts no longer title, it refuses it. */
const MAX_TITLE = 256;
const MAX_BODY = 65_536;

/**
 * Each step looks first whether it was done: by this call, by one that was cut off, or by one that runs at the same time. A pull request, open or
 * not, ends it, so that what people closed is not opened again.
 */
export async function proposeChange(calls: RepositoryCalls, owner: string, request: ChangeRequest): Promise<ProposedRef> {
  const known = await findPull(calls, owner, request);
  if (known) return known;
  const { branch, base, file, edits, signal } = request;
  const onBranch = await findFile(calls, { file, ref: branch, signal });
  if (!onBranch) {
    const start = await headOf(calls, { branch: base, signal });
    const { text, url } = await readFile(calls, { file, ref: start, signal });
    // Before the branch is made: what cannot be changed leaves nothing behind.
    const edited = editYaml(file, text, edits);
    if (edited === text) return { number: 0, url, branch };
    await makeBranch(calls, { branch, start, signal });
  }
  await commit(calls, request);
  return (await openPull(calls, request)) ?? (await findPull(calls, owner, request)) ?? vanished(calls, branch);
}

/** The pull request of this branch, whatever its state; of several the newest. */
export async function findPull(
  calls: RepositoryCalls,
  owner: string,
  { branch, signal }: Pick<ChangeRequest, 'branch' | 'signal'>,
): Promise<ProposedRef | undefined> {
  const [pull] = await calls.ask({
    path: '/pulls',
    parameters: { head: `${owner}:${branch}`, state: 'all', sort: 'created', direction: 'desc', per_page: 10 },
    schema: pullsAnswer,
    ...{ signal, what: `look for the pull request of ${branch} in ${calls.name}` },
  });
  return pull && { number: pull.number, url: pull.html_url, branch };
}

async function headOf(
  calls: RepositoryCalls,
  { branch, signal }: { readonly branch: string; readonly signal: AbortSignal | undefined },
): Promise<string> {
  const { object } = await calls.ask({
    path: '/git/ref/heads/{+branch}',
    parameters: { branch: pathOf(branch) },
    schema: refAnswer,
    ...{ signal, what: `read the branch ${branch} of ${calls.name}` },
  });
  return object.sha;
}

async function makeBranch(
  calls: RepositoryCalls,
  { branch, start, signal }: { readonly branch: string; readonly start: string; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const parameters = { ref: `refs/heads/${branch}`, sha: start };
  const what = `make the branch ${branch} in ${calls.name}`;
  const answer = await calls.try({ method: 'POST', path: '/git/refs', parameters, schema: refAnswer, signal, what }, [422]);
  if (answer.status !== 422 || /already exists/i.test(answer.says)) return;
  throw new PlatformError('OPERATION_FAILED', `GitHub could not ${what}: ${answer.says}`, { details: { reason: 'branch' } });
}

async function commit(calls: RepositoryCalls, { branch, file, edits, title, signal }: ChangeRequest): Promise<void> {
  const { text, sha } = await readFile(calls, { file, ref: branch, signal });
  if (holdsValues(file, text, edits)) return;
  const content = Buffer.from(editYaml(file, text, edits)).toString('base64');
  const parameters = { path: pathOf(file), branch, sha, message: title, content };
  const what = `change ${file} in the branch ${branch} of ${calls.name}`;
  const answer = await calls.try({ method: 'PUT', path: '/contents/{+path}', parameters, schema: commitAnswer, signal, what }, [409, 422]);
  if (answer.status === 'done') return;
  const now = await readFile(calls, { file, ref: branch, signal });
  if (holdsValues(file, now.text, edits)) return;
  throw new PlatformError('STALE', `Somebody else changes ${file} in the branch ${branch} of ${calls.name}: ${answer.says}`, {
    details: { reason: 'branch', file },
  });
}

/** Undefined when there is one already. */
async function openPull(calls: RepositoryCalls, { branch, base, title, body, signal }: ChangeRequest): Promise<ProposedRef | undefined> {
  const parameters = { head: branch, base, title: title.slice(0, MAX_TITLE), body: body.slice(0, MAX_BODY), maintainer_can_modify: true };
  const what = `open a pull request of ${branch} in ${calls.name}`;
  const answer = await calls.try({ method: 'POST', path: '/pulls', parameters, schema: onePullAnswer, signal, what }, [422]);
  if (answer.status === 'done') return { number: answer.data.number, url: answer.data.html_url, branch };
  if (/already exists/i.test(answer.says)) return undefined;
  throw new PlatformError('OPERATION_FAILED', `GitHub could not ${what}: ${answer.says}`, { details: { reason: 'pull-request' } });
}

function vanished(calls: RepositoryCalls, branch: string): never {
  throw new PlatformError('STALE', `The pull request of ${branch} in ${calls.name} is not to be found although GitHub says there is one.`);
}
