import type { Proposal } from '#libs/contracts/upgrade-activities.js';
import type { GateOutcome } from '#libs/domain/upgrade/gates.js';
import type { Build, ProbeKind } from '#libs/domain/upgrade/observed.js';
import type { UpgradePlan } from '#libs/domain/upgrade/plan.js';
import type { ProposedChange } from '#libs/domain/upgrade/proposed-change.js';
import type { Repository } from '#libs/github/types.js';

export type YamlScalar = string | number | boolean;

/** One value of a YAML file. */
export interface YamlEdit {
  /** `['spec', 'values', 'lxd', 'image', 'tag']`: has to be there already. */
  readonly path: readonly string[];
  readonly value: YamlScalar;
}

/** A branch, one commit on it that changes only these values, and a pull request. The branch's name is what it is found by again. */
export interface ChangeRequest {
  readonly repository: Repository;
  readonly base: string;
  readonly branch: string;
  readonly file: string;
  readonly edits: readonly YamlEdit[];
  readonly title: string;
  readonly body: string;
  readonly signal?: AbortSignal | undefined;
}

/** A change that was proposed. Plain JSON. */
export interface ProposedRef {
  /** Of the pull request; 0 when the base branch held the values already and nothing was made. */
  readonly number: number;
  readonly url: string;
  readonly branch: string;
}

/** Where a change is looked for, and which values make it ours. */
export interface ChangeQuestion {
  readonly repository: Repository;
  readonly base: string;
  readonly file: string;
  readonly edits: readonly YamlEdit[];
  readonly proposed: ProposedRef;
  readonly signal?: AbortSignal | undefined;
}

export interface MergeRequest {
  readonly repository: Repository;
  readonly number: number;
  /** The commit that was looked at; another one is not merged. */
  readonly head: string;
  readonly signal?: AbortSignal | undefined;
}

/** `refused`: GitHub does not merge it now (a rule, a conflict, a moved head): look again. */
export type MergeAnswer = { readonly is: 'merged'; readonly commit: string } | { readonly is: 'refused'; readonly says: string };

/**
 * Changes by pull request. Every call has the deadline of the GitHub settings and is ended by its signal; limits are errors that say when to come
 * again. All throw PlatformErrors as `Github` does, and INVALID_INPUT or CONFLICT, with the file and the path, for a file that is not as expected:
 * before anything was changed.
 */
export interface Gitops {
  /** A text of the repository; undefined when it is not there. */
  readText(question: {
    readonly repository: Repository;
    readonly file: string;
    /** Branch or commit. */
    readonly ref: string;
    readonly signal?: AbortSignal | undefined;
  }): Promise<string | undefined>;
  /** Branch, commit and pull request, or those that are there already: may run twice, and after a crash at any point. */
  proposeChange(request: ChangeRequest): Promise<ProposedRef>;
  readChange(question: ChangeQuestion): Promise<ProposedChange>;
  mergeChange(request: MergeRequest): Promise<MergeAnswer>;
  /** Closes what is open and removes its branch. Answers whether it was merged all the same. */
  closeChange(question: Omit<ChangeQuestion, 'edits' | 'file'>): Promise<'closed' | 'merged'>;
  close(): Promise<void>;
}

/** Where the values of a cluster stand, and who merges. Paths have dots: `spec.values.lxd.image`. */
export interface GitopsSettings {
  /** `owner/name` */
  readonly repository: string;
  readonly base: string;
  readonly file: string;
  /** A whole reference, or a mapping with `repository` and `tag` (and, where they are there, `registry` and `digest`). */
  readonly imagePath: string;
  /** By the name of the variable. One that a build does not have is set to ''. */
  readonly environmentPaths: Readonly<Record<string, string>>;
  /** True while the template has its probes. */
  readonly probesPath?: string | undefined;
  /** `ours`: we merge when all checks have passed and the head is still our commit. */
  readonly merge: 'person' | 'ours';
  /** Checks that must have passed before we merge, whatever the repository's own rules are. */
  readonly requiredChecks?: readonly string[] | undefined;
}

/** A step of the template of a plan. */
export interface TemplateRequest {
  readonly plan: UpgradePlan;
  readonly stepId: string;
  readonly operationId: string;
  readonly build: Build;
  readonly probes: readonly ProbeKind[];
}

/** The template changed by pull request. */
export interface TemplateWay {
  /** May run twice. What is needed later is in the proposal. */
  apply(request: TemplateRequest, signal?: AbortSignal): Promise<Proposal>;
  /**
   * Looks once; merges when that is configured and all is well. `shown` is what the gate `template-shown` says now: given, the outcome passes only
   * when the cluster shows it, too.
   */
  read(proposal: Proposal, options?: { readonly shown?: GateOutcome; readonly signal?: AbortSignal }): Promise<GateOutcome>;
  /** For an abort: closes what is still open. */
  withdraw(proposal: Proposal, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
