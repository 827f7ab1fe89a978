import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type Files, GitRepository, type RepositoryState } from './repository.js';

/** Repositories with files, in memory; with `path` kept in a file, too, over starts. */
export class GitStore {
  readonly #path: string | undefined;
  readonly #repositories = new Map<string, GitRepository>();

  constructor(path?: string) {
    this.#path = path;
    if (path === undefined || !existsSync(path)) return;
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Record<string, RepositoryState>;
    for (const [name, state] of Object.entries(kept)) this.#add(name, state);
  }

  /** Name in any case. */
  find(name: string): GitRepository | undefined {
    return this.#repositories.get(name.toLowerCase());
  }

  /** A repository with one commit on `main`, unless it is there. */
  create(name: string, files: Files): GitRepository {
    const known = this.find(name);
    if (known) return known;
    const state: RepositoryState = { commits: {}, branches: {}, pulls: [], checks: {}, rules: { reviews: 'none' } };
    const first = { sha: '0'.repeat(40), parents: [], files: {}, message: '', by: 'nobody', at: new Date(0).toISOString() };
    const made = this.#add(name, { ...state, commits: { [first.sha]: first }, branches: { main: first.sha } });
    made.commit('main', files, { message: 'First files', by: name.split('/')[0] ?? '' });
    return made;
  }

  #add(name: string, state: RepositoryState): GitRepository {
    const repository = new GitRepository(state, () => this.#keep());
    this.#repositories.set(name.toLowerCase(), repository);
    return repository;
  }

  #keep(): void {
    if (this.#path === undefined) return;
    const states = Object.fromEntries([...this.#repositories].map(([name, { state }]) => [name, state]));
    writeFileSync(`${this.#path}.new`, JSON.stringify(states));
    renameSync(`${this.#path}.new`, this.#path);
  }
}
