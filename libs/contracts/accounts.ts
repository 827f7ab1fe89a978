/** Why a webspace is suspended: its account is gone, its membership has ended, or an admin said so. */
export const SUSPENSION_REASONS = ['deleted', 'expired', 'admin'] as const;
export type SuspensionReason = (typeof SUSPENSION_REASONS)[number];

/** Who acts when no person does. */
export const ACCOUNT_POLICY = 'account-policy';

/** What the account of one webspace calls for. */
export type AccountAction =
  | { readonly action: 'rename'; readonly name: string; readonly owner: string; readonly username: string }
  | { readonly action: 'suspend'; readonly name: string; readonly owner: string; readonly reason: Exclude<SuspensionReason, 'admin'> }
  | { readonly action: 'resume'; readonly name: string; readonly owner: string }
  | { readonly action: 'archive'; readonly name: string; readonly owner: string };

/** One page of webspaces and what their accounts call for. */
export interface AccountFindings {
  readonly checked: number;
  /** Of them, those whose account does not exist. */
  readonly missing: number;
  readonly actions: readonly AccountAction[];
  /** What cannot be followed, each a sentence. */
  readonly problems: readonly string[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: string;
}

/** The identity service cannot be believed now: nothing may follow from what it says. */
export interface AccountsRefused {
  readonly refused: string;
}

/** All pages together. */
export interface AccountsRound {
  readonly checked: number;
  readonly missing: number;
  readonly toSuspend: number;
  readonly toArchive: number;
}

export interface AccountPolicyResult {
  readonly checked: number;
  readonly renamed: number;
  readonly suspended: number;
  readonly resumed: number;
  readonly archived: number;
  /** Why the policy held back, empty when it did not. */
  readonly refusals: readonly string[];
}
