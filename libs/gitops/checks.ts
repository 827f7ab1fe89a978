import type { ChangeChecks } from '#libs/domain/upgrade/proposed-change.js';
import type { RepositoryCalls } from './calls.js';
import { checkRunsAnswer, statusAnswer } from './schemas.js';

const PER_PAGE = 100;
/** More checks than that are not looked at: such a repository is not merged by us, since the rest counts as pending. */
const MAX_PAGES = 5;
const GOOD: ReadonlySet<string> = new Set(['success', 'neutral', 'skipped']);

type Verdict = 'passed' | 'pending' | 'failed';

/** Both of GitHub's kinds, of this commit: check runs (the newest of each name) and commit statuses. */
export async function readChecks(calls: RepositoryCalls, commit: string, signal: AbortSignal | undefined): Promise<ChangeChecks> {
  const verdicts = new Map<string, Verdict>();
  for (const [name, verdict] of [...(await runsOf(calls, commit, signal)), ...(await statusesOf(calls, commit, signal))]) {
    verdicts.set(name, worse(verdicts.get(name), verdict));
  }
  const named = (wanted: Verdict) => [...verdicts].flatMap(([name, verdict]) => (verdict === wanted ? [name] : [])).sort();
  return { passed: named('passed'), pending: named('pending'), failed: named('failed') };
}

async function runsOf(calls: RepositoryCalls, ref: string, signal: AbortSignal | undefined): Promise<[string, Verdict][]> {
  const found: [string, Verdict][] = [];
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { check_runs: runs, total_count: total } = await calls.ask({
      path: '/commits/{ref}/check-runs',
      parameters: { ref, filter: 'latest', per_page: PER_PAGE, page },
      schema: checkRunsAnswer,
      ...{ signal, what: `read the checks of ${ref} in ${calls.name}` },
    });
    for (const { name, status, conclusion } of runs) {
      found.push([name, status !== 'completed' ? 'pending' : GOOD.has(conclusion ?? '') ? 'passed' : 'failed']);
    }
    if (runs.length === 0 || page * PER_PAGE >= total) return found;
  }
  return [...found, ['more checks than are looked at', 'pending']];
}

async function statusesOf(calls: RepositoryCalls, ref: string, signal: AbortSignal | undefined): Promise<[string, Verdict][]> {
  const { statuses, total_count: total } = await calls.ask({
    path: '/commits/{ref}/status',
    parameters: { ref, per_page: PER_PAGE },
    schema: statusAnswer,
    ...{ signal, what: `read the statuses of ${ref} in ${calls.name}` },
  });
  const found = statuses.map(({ context, state }): [string, Verdict] => [
    context,
    state === 'success' ? 'passed' : state === 'pending' ? 'pending' : 'failed',
  ]);
  return total > statuses.length ? [...found, ['more statuses than are looked at', 'pending']] : found;
}

function worse(known: Verdict | undefined, verdict: Verdict): Verdict {
  if (known === undefined || known === 'passed') return verdict;
  return known === 'failed' || verdict === 'passed' ? known : verdict;
}
