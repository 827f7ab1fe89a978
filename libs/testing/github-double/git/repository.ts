import { createHash } from 'node:crypto';
import { mergeText } from './merge-text.js';

export type Files = Readonly<Record<string, string>>;

export interface StoredCommit {
  readonly sha: string;
  readonly parents: readonly string[];
  readonly files: Files;
  readonly message: string;
  /** Login of whoever made it. */
  readonly by: string;
  /** ISO 8601 */
  readonly at: string;
}

export interface StoredCheck {
  readonly kind: 'run' | 'status';
  readonly name: string;
  readonly state: 'pending' | 'passed' | 'failed';
}

export interface StoredPull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  readonly title: string;
  readonly body: string;
  readonly by: string;
  readonly createdAt: string;
  /** Of the head and of the base as they were last while it was open. */
  readonly headSha: string;
  readonly baseSha: string;
  readonly state: 'open' | 'closed';
  readonly closed?: { readonly by: string; readonly at: string };
  readonly merged?: { readonly by: string; readonly at: string; readonly commit: string };
}

/** What a repository is made of; plain JSON, so that a lab can keep it. */
export interface RepositoryState {
  readonly commits: Record<string, StoredCommit>;
  readonly branches: Record<string, string>;
  readonly pulls: StoredPull[];
  /** By commit. */
  readonly checks: Record<string, StoredCheck[]>;
  /** GitHub refuses to merge without the approval of a review. */
  rules: { readonly reviews: 'none' | 'needed' };
}

/** Commits, branches, pull requests and checks of one repository: as much of git as the API shows. */
export class GitRepository {
  readonly state: RepositoryState;
  readonly #changed: () => void;

  constructor(state: RepositoryState, changed: () => void) {
    this.state = state;
    this.#changed = changed;
  }

  /** A commit on a branch that is there. */
  commit(branch: string, change: Files, { message, by }: { readonly message: string; readonly by: string }): StoredCommit {
    const parent = this.tip(branch);
    return this.#add(branch, { parents: [parent.sha], files: { ...parent.files, ...change }, message, by });
  }

  branch(name: string, sha: string): void {
    this.state.branches[name] = sha;
    this.#changed();
  }

  removeBranch(name: string): void {
    delete this.state.branches[name];
    this.#changed();
  }

  tip(branch: string): StoredCommit {
    const found = this.at(branch);
    if (!found) throw new Error(`there is no branch ${branch}`);
    return found;
  }

  /** By branch or commit. */
  at(ref: string): StoredCommit | undefined {
    return this.state.commits[this.state.branches[ref] ?? ref];
  }

  /** Newest first, by first parents, and of merges what they brought. */
  history(sha: string): StoredCommit[] {
    const found = new Map<string, StoredCommit>();
    const open = [sha];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const commit = this.state.commits[next];
      if (!commit || found.has(next)) continue;
      found.set(next, commit);
      open.push(...commit.parents);
    }
    const order = Object.keys(this.state.commits);
    return [...found.values()].sort((a, b) => order.indexOf(b.sha) - order.indexOf(a.sha));
  }

  /** Commits of `head` that `base` has not, newest first. */
  ahead(base: string, head: string): StoredCommit[] {
    const known = new Set(this.history(base).map(({ sha }) => sha));
    return this.history(head).filter(({ sha }) => !known.has(sha));
  }

  openPull(request: {
    readonly head: string;
    readonly base: string;
    readonly title: string;
    readonly body: string;
    readonly by: string;
  }): StoredPull {
    const pull: StoredPull = {
      ...{ ...request, number: this.state.pulls.length + 1, state: 'open', createdAt: new Date().toISOString() },
      ...{ headSha: this.tip(request.head).sha, baseSha: this.tip(request.base).sha },
    };
    this.state.pulls.push(pull);
    this.#changed();
    return pull;
  }

  /** As it is now: an open one goes with its branches. */
  pull(number: number): StoredPull | undefined {
    const found = this.state.pulls.find((pull) => pull.number === number);
    if (found?.state !== 'open') return found;
    return { ...found, headSha: this.at(found.head)?.sha ?? found.headSha, baseSha: this.tip(found.base).sha };
  }

  close(number: number, by: string): void {
    const pull = this.#open(number);
    this.#replace({ ...pull, state: 'closed', closed: { by, at: new Date().toISOString() } });
  }

  reopen(number: number): void {
    const { closed: _closed, ...pull } = this.#known(number);
    if (pull.merged) throw new Error(`pull request ${number} was merged`);
    this.#replace({ ...pull, state: 'open' });
  }

  /** The files after a merge; undefined in a conflict. */
  mergedFiles({ baseSha, headSha }: Pick<StoredPull, 'baseSha' | 'headSha'>): Files | undefined {
    const known = new Set(this.history(headSha).map(({ sha }) => sha));
    const [base, ours, theirs] = [this.history(baseSha).find(({ sha }) => known.has(sha)), this.at(baseSha), this.at(headSha)];
    if (!base || !ours || !theirs) return undefined;
    const merged: Record<string, string> = {};
    for (const path of new Set([...Object.keys(ours.files), ...Object.keys(theirs.files)])) {
      const text = mergeText(base.files[path] ?? '', ours.files[path] ?? '', theirs.files[path] ?? '');
      if (text === undefined) return undefined;
      merged[path] = text;
    }
    return merged;
  }

  merge(number: number, { by, method = 'merge' }: { readonly by: string; readonly method?: 'merge' | 'squash' }): StoredCommit {
    const pull = this.#open(number);
    const files = this.mergedFiles(pull);
    if (!files) throw new Error(`pull request ${number} is in conflict`);
    const parents = method === 'merge' ? [pull.baseSha, pull.headSha] : [pull.baseSha];
    const message = method === 'merge' ? `Merge pull request #${number} from ${pull.head}\n\n${pull.title}` : `${pull.title} (#${number})`;
    const commit = this.#add(pull.base, { parents, files, message, by });
    this.#replace({ ...pull, state: 'closed', merged: { by, at: commit.at, commit: commit.sha }, closed: { by, at: commit.at } });
    return commit;
  }

  setCheck(sha: string, check: StoredCheck): void {
    const others = (this.state.checks[sha] ?? []).filter(({ name, kind }) => name !== check.name || kind !== check.kind);
    this.state.checks[sha] = [...others, check];
    this.#changed();
  }

  setRules(rules: RepositoryState['rules']): void {
    this.state.rules = rules;
    this.#changed();
  }

  #add(branch: string, given: Omit<StoredCommit, 'sha' | 'at'>): StoredCommit {
    const at = new Date().toISOString();
    const nth = Object.keys(this.state.commits).length;
    const sha = createHash('sha1')
      .update(JSON.stringify({ ...given, at, nth }))
      .digest('hex');
    const commit = { ...given, sha, at };
    this.state.commits[sha] = commit;
    this.branch(branch, sha);
    return commit;
  }

  #known(number: number): StoredPull {
    const pull = this.pull(number);
    if (!pull) throw new Error(`there is no pull request ${number}`);
    return pull;
  }

  #open(number: number): StoredPull {
    const pull = this.#known(number);
    if (pull.state !== 'open') throw new Error(`pull request ${number} is not open`);
    return pull;
  }

  #replace(pull: StoredPull): void {
    this.state.pulls[this.state.pulls.findIndex(({ number }) => number === pull.number)] = pull;
    this.#changed();
  }
}

/** Git's own name of a text. */
export function blobSha(text: string): string {
  return createHash('sha1')
    .update(`blob ${Buffer.byteLength(text)}\0`)
    .update(text)
    .digest('hex');
}
