import { isPlatformError } from '#libs/errors/platform-error.js';
import type { AssetBytes, AssetOptions, Github, ListAnswer, ListOptions, ReleaseAsset, Repository } from '#libs/github/types.js';

/** What a call to GitHub is for. */
export type CallKind = 'list' | 'metadata' | 'checksum' | 'asset';

/** Told of what was sent, with `ok` or the error's code. */
export type OnCall = (kind: CallKind, outcome: string, calls: number) => void;

/** The one way to GitHub, where calls are counted. */
export class Upstream {
  constructor(
    private readonly github: Github,
    private readonly onCall: OnCall,
  ) {}

  get anonymousDownloads(): boolean {
    return this.github.anonymousDownloads;
  }

  async listReleases(repository: Repository, options: ListOptions): Promise<ListAnswer> {
    const answer = await this.#counted('list', this.github.listReleases(repository, options));
    this.onCall('list', 'ok', answer.calls);
    return answer;
  }

  async openAsset(
    kind: Exclude<CallKind, 'list'>,
    repository: Repository,
    asset: ReleaseAsset,
    options: AssetOptions,
  ): Promise<AssetBytes> {
    const bytes = await this.#counted(kind, this.github.openAsset(repository, asset, options));
    this.onCall(kind, 'ok', 1);
    return bytes;
  }

  async #counted<T>(kind: CallKind, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      const { code = 'unknown', details = {} } = isPlatformError(error) ? error : {};
      // During a pause that GitHub asked for nothing is sent.
      this.onCall(kind, code, details['asked'] === false ? 0 : 1);
      throw error;
    }
  }
}
