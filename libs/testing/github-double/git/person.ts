import type { GitRepository, StoredCheck, StoredCommit } from './repository.js';

/** What people and their machines do in a repository, for tests and the lab: none of it is in GitHub's API as it is here. */
export class Person {
  readonly #repository: GitRepository;
  readonly #by: string;

  constructor(repository: GitRepository, by: string) {
    this.#repository = repository;
    this.#by = by;
  }

  /** Replaces a text in a file of a branch: by another value in the line of an open pull request it makes a conflict. */
  push(file: string, from: string, to: string, branch = 'main'): StoredCommit {
    const text = this.#repository.tip(branch).files[file] ?? '';
    if (!text.includes(from)) throw new Error(`${file} in ${branch} has no ${from}`);
    return this.#repository.commit(branch, { [file]: text.replace(from, () => to) }, { message: `Change ${file}`, by: this.#by });
  }

  write(file: string, text: string, branch = 'main'): StoredCommit {
    return this.#repository.commit(branch, { [file]: text }, { message: `Change ${file}`, by: this.#by });
  }

  merge(number: number, method: 'merge' | 'squash' = 'merge'): StoredCommit {
    return this.#repository.merge(number, { by: this.#by, method });
  }

  close(number: number): void {
    this.#repository.close(number, this.#by);
  }

  reopen(number: number): void {
    this.#repository.reopen(number);
  }

  /** Undoes a merged pull request by a commit on its base. */
  revert(number: number): StoredCommit {
    const pull = this.#repository.pull(number);
    const merged = pull?.merged && this.#repository.at(pull.merged.commit);
    const before = merged && this.#repository.at(merged.parents[0] ?? '');
    if (!pull || !merged || !before) throw new Error(`pull request ${number} was not merged`);
    const undone = Object.entries(before.files).filter(([path, text]) => merged.files[path] !== text);
    return this.#repository.commit(pull.base, Object.fromEntries(undone), { message: `Revert "${pull.title}"`, by: this.#by });
  }

  /** Of the head of a pull request, as a workflow or another service says it. */
  check(number: number, name: string, state: StoredCheck['state'], kind: StoredCheck['kind'] = 'run'): void {
    const pull = this.#repository.pull(number);
    if (!pull) throw new Error(`there is no pull request ${number}`);
    this.#repository.setCheck(pull.headSha, { kind, name, state });
  }
}
