import { isPlatformError } from '#libs/errors/platform-error.js';
import type { Repository } from '#libs/github/types.js';
import { keyOf } from './allow.js';
import type { ServedFile } from './offered.js';
import { RepositoryView, type ViewAnswer, type ViewOptions } from './repository-view.js';
import { notFound, type Unknown } from './unknown.js';

export interface RepositoriesOptions {
  readonly view: ViewOptions;
  readonly unknown: Unknown;
  readonly allowed: (repository: Repository) => boolean;
  /** Repositories in memory; the least recently asked for goes, and is on disk. */
  readonly limit: number;
}

/** The repositories that are served. */
export class Repositories {
  /** The least recently asked for first. */
  readonly #views = new Map<string, RepositoryView>();
  readonly #opening = new Map<string, Promise<RepositoryView>>();

  constructor(private readonly options: RepositoriesOptions) {}

  /** The answer when nothing has to be asked or waited for. */
  fresh(repository: Repository): ViewAnswer | undefined {
    return this.#views.get(keyOf(repository))?.fresh();
  }

  /** @throws PlatformError NOT_FOUND for what is not allowed or not there; see `RepositoryView.look` */
  async look(repository: Repository): Promise<ViewAnswer> {
    const view = await this.#view(repository);
    try {
      return await view.look();
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) this.#forget(view);
      throw error;
    }
  }

  /** A file that was offered; only one that is not known costs a look. @throws as `look` */
  async file(repository: Repository, path: string): Promise<ServedFile | undefined> {
    const known = this.#views.get(keyOf(repository))?.file(path);
    return known ?? (await this.look(repository)).offered.file(path);
  }

  /** An asset of it was not there: the next look asks for every page. */
  doubt(repository: Repository): void {
    this.#views.get(keyOf(repository))?.doubt();
  }

  get size(): number {
    return this.#views.size;
  }

  /** Those in memory, with what they offered last. */
  *offered(): Iterable<{ readonly key: string; readonly answer: ViewAnswer }> {
    for (const [key, view] of this.#views) {
      const answer = view.last();
      if (answer) yield { key, answer };
    }
  }

  stop(): void {
    for (const view of this.#views.values()) view.stop();
  }

  async #view(repository: Repository): Promise<RepositoryView> {
    const key = keyOf(repository);
    if (!this.options.allowed(repository)) throw notFound(key);
    const known = this.#views.get(key);
    if (known) {
      this.#views.delete(key);
      this.#views.set(key, known);
      return known;
    }
    const opening = this.#opening.get(key) ?? this.#open(repository, key);
    this.#opening.set(key, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(key);
    }
  }

  async #open(repository: Repository, key: string): Promise<RepositoryView> {
    const view = new RepositoryView(repository, this.options.view);
    await view.restore();
    if (!view.known) this.options.unknown.admit(key);
    this.#views.set(key, view);
    for (const [oldest, other] of this.#views) {
      if (this.#views.size <= this.options.limit) break;
      this.#views.delete(oldest);
      other.stop();
    }
    return view;
  }

  #forget(view: RepositoryView): void {
    const key = keyOf(view.repository);
    if (this.#views.get(key) === view) this.#views.delete(key);
    this.options.unknown.remember(key);
  }
}
