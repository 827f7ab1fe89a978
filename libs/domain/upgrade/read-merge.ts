import { failed, passed, waiting } from './gate-outcomes.js';
import type { GateOutcome } from './gates.js';
import type { BaseState, ChangeState, ProposedChange } from './proposed-change.js';
import { counted, listed } from './wording.js';

export interface MergeTerms {
  /** `ours`: we merge as soon as {@link mergeableHead} gives one. */
  readonly merge: 'person' | 'ours';
  /** Have to have passed before we merge, whatever the repository's own rules are. */
  readonly requiredChecks: readonly string[];
  /** What the gate `template-shown` says now; absent: only the merge is waited for. */
  readonly shown?: GateOutcome | undefined;
}

type Open = Extract<ChangeState, { is: 'open' }>;
type Merged = Extract<ChangeState, { is: 'merged' }>;

/** What a change by pull request says of one look: nothing is remembered from the one before. */
export function readMerge(change: ProposedChange, terms: MergeTerms): GateOutcome {
  const { state, base, file } = change;
  switch (state.is) {
    case 'unneeded':
      if (state.base.holds === 'others') return takenAway(change, state.base);
      return followed(terms, `${file} in ${base} has these values already`);
    case 'open':
      return readOpen(change, state, terms);
    case 'closed':
      return failed(
        `Pull request ${change.url} was closed${by(state.by)} without a merge.`,
        `Reopen it and retry; or abort. Its branch is ${change.branch}.`,
      );
    case 'merged':
      if (state.base.holds === 'others') return takenAway(change, state.base);
      return followed(terms, mergedText(change, state));
  }
}

/** The head that we may merge now: configured, our commit alone, all checks passed, and GitHub has nothing against it. Else undefined. */
export function mergeableHead({ state }: ProposedChange, terms: MergeTerms): string | undefined {
  if (terms.merge !== 'ours' || state.is !== 'open' || state.values !== 'ours' || state.mergeable !== 'yes') return undefined;
  return state.checks.failed.length === 0 && missingChecks(state, terms).length === 0 ? state.head : undefined;
}

function readOpen({ url, base, file, branch }: ProposedChange, state: Open, terms: MergeTerms): GateOutcome {
  const { checks, mergeable, values } = state;
  if (mergeable === 'conflict') {
    return failed(
      `Pull request ${url} conflicts with ${base}: somebody has changed the same lines of ${file} since.`,
      `Merge ${base} into ${branch} so that ${file} keeps the values of the pull request, then retry; or abort.`,
    );
  }
  if (checks.failed.length > 0) {
    return failed(
      `${counted(checks.failed.length, 'check')} of pull request ${url} failed: ${listed(checks.failed)}.`,
      'See why at the pull request, run the checks again or mend the repository, then retry; or abort.',
    );
  }
  const missing = missingChecks(state, terms);
  const progress = `${checks.passed.length} of ${counted(checks.passed.length + checks.pending.length, 'check')} passed`;
  if (missing.length > 0) return waiting(`The checks of pull request ${url} are waited for: ${listed(missing)}.`, progress);
  if (values === 'theirs') {
    return waiting(`Somebody has changed the branch ${branch} of pull request ${url}, so a person has to merge it.`, progress);
  }
  if (terms.merge === 'person') return waiting(`Pull request ${url} waits for a person to merge it into ${base}.`, progress);
  if (mergeable === 'blocked') {
    return waiting(`A rule of the repository keeps pull request ${url} from being merged, such as a review that is missing.`, progress);
  }
  if (mergeable === 'unknown') return waiting(`GitHub works out whether pull request ${url} can be merged.`, progress);
  return waiting(`Pull request ${url} is about to be merged into ${base}.`, progress);
}

/** Checks that run, and required ones of which nothing is known yet. */
function missingChecks({ checks }: Open, { requiredChecks }: MergeTerms): string[] {
  return [...new Set([...checks.pending, ...requiredChecks.filter((name) => !checks.passed.includes(name))])].sort();
}

function takenAway({ file, base, url }: ProposedChange, { by: who, commit, at }: Extract<BaseState, { holds: 'others' }>): GateOutcome {
  const which = commit === undefined ? '' : `, by commit ${commit.slice(0, 12)}${at === undefined ? '' : ` of ${at}`}`;
  return failed(
    `${file} in ${base} has the values of ${url} no more: ${who === undefined ? 'somebody' : who} took them back${which}.`,
    `Ask ${who ?? 'whoever did it'} why; bring the values back in ${base} and retry, or abort, which restores the old ones in every member.`,
  );
}

function followed({ shown }: MergeTerms, text: string): GateOutcome {
  if (!shown || shown.is === 'passed') return passed(`${text}${shown ? `; ${shown.because}` : '.'}`);
  if (shown.is === 'failed') return shown;
  return waiting(
    `${text}, and the cluster does not show it: ${shown.reason} Unless it follows soon, see whether Flux is suspended or reports an error.`,
    shown.progress,
  );
}

function mergedText({ url, base }: ProposedChange, { by: who, commit }: Merged): string {
  return `Pull request ${url} was merged into ${base}${by(who)} as ${commit.slice(0, 12)}`;
}

function by(who: string | undefined): string {
  return who === undefined ? '' : ` by ${who}`;
}
