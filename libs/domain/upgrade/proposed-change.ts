/** Checks of a pull request's head; each name once, with what it said last. */
export interface ChangeChecks {
  readonly passed: readonly string[];
  readonly pending: readonly string[];
  readonly failed: readonly string[];
}

/** What has become of a change in the repository that the cluster follows, read at one moment. */
export type ChangeState =
  /** The base branch held the wanted values before anything was proposed. */
  | { readonly is: 'unneeded'; readonly base: BaseState }
  | {
      readonly is: 'open';
      /** The commit that was looked at: only this one may be merged by us. */
      readonly head: string;
      /** Whose values the head holds. `theirs`: somebody has changed the branch since. */
      readonly values: 'ours' | 'theirs';
      readonly checks: ChangeChecks;
      /** `unknown` while GitHub works it out; `blocked`: it can be merged, but a rule of the repository (a review, a check) is not met. */
      readonly mergeable: 'yes' | 'conflict' | 'blocked' | 'unknown';
    }
  | { readonly is: 'closed'; readonly by?: string; readonly at: string }
  | { readonly is: 'merged'; readonly by?: string; readonly commit: string; readonly at: string; readonly base: BaseState };

/** Whether the base branch holds the wanted values. */
export type BaseState =
  | { readonly holds: 'ours' }
  /** `by` and `commit` of the first commit since that took them away, when it can be told. */
  | { readonly holds: 'others'; readonly by?: string; readonly commit?: string; readonly at?: string };

/** A change as it stands: what {@link readMerge} judges. */
export interface ProposedChange {
  /** Of the pull request; 0 when none was needed. */
  readonly number: number;
  readonly url: string;
  readonly branch: string;
  readonly base: string;
  readonly file: string;
  readonly state: ChangeState;
}
