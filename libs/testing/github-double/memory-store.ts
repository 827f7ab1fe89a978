import { bytesOf, type Content } from './content.js';
import { newestFirst, type ReleaseSource, type StoredAsset, type StoredRelease } from './model.js';

export interface PublishRequest {
  readonly tag: string;
  /** By name. */
  readonly files?: Readonly<Record<string, Content>>;
  readonly name?: string;
  readonly body?: string;
  readonly draft?: boolean;
  readonly prerelease?: boolean;
  readonly immutable?: boolean;
  /** Default: now. */
  readonly publishedAt?: Date;
  /** `none`: as assets older than June 2025; a record: what is claimed for a file, e.g. `sha256:00…`. Default: the truth. */
  readonly digest?: 'none' | Readonly<Record<string, string>>;
}

/** Releases that a test publishes. */
export class MemoryStore implements ReleaseSource {
  readonly #repositories = new Map<string, StoredRelease[]>();
  #lastId = 1000;

  async releases(repository: string): Promise<readonly StoredRelease[] | undefined> {
    const found = this.#repositories.get(repository.toLowerCase());
    return found && newestFirst(found);
  }

  /** An empty one, unless it is there. */
  create(repository: string): StoredRelease[] {
    const found = this.#repositories.get(repository.toLowerCase()) ?? [];
    this.#repositories.set(repository.toLowerCase(), found);
    return found;
  }

  /** A release of the same tag is replaced. */
  async publish(repository: string, request: PublishRequest): Promise<StoredRelease> {
    const {
      tag,
      files = {},
      name = tag,
      body = '',
      draft = false,
      prerelease = false,
      immutable = false,
      publishedAt = new Date(),
    } = request;
    const assets: StoredAsset[] = [];
    for (const [fileName, content] of Object.entries(files)) {
      const bytes = await bytesOf(content);
      const claimed = request.digest === 'none' ? null : (request.digest?.[fileName] ?? `sha256:${bytes.sha256}`);
      assets.push({
        ...{ id: this.#nextId(), name: fileName, bytes, sizeBytes: bytes.sizeBytes, digest: claimed },
        ...{ state: 'uploaded', updatedAt: publishedAt },
      });
    }
    const release = { id: this.#nextId(), tag, name, body, draft, prerelease, immutable, createdAt: publishedAt, assets };
    this.replace(repository, release);
    return release;
  }

  /** Takes the release away, as somebody who deletes it does. */
  remove(repository: string, tag: string): void {
    const releases = this.create(repository);
    const at = releases.findIndex((release) => release.tag === tag);
    if (at >= 0) releases.splice(at, 1);
  }

  /** Uploads another file of that name: a new id, as at GitHub. */
  async replaceAsset(repository: string, tag: string, name: string, content: Content): Promise<void> {
    const bytes = await bytesOf(content);
    const next = { id: this.#nextId(), sizeBytes: bytes.sizeBytes, digest: `sha256:${bytes.sha256}`, updatedAt: new Date() };
    this.#change(repository, tag, name, (asset) => ({ ...asset, ...next, bytes }));
  }

  /** Other bytes are served from now on; what the API says of them stays. */
  async corruptAsset(repository: string, tag: string, name: string, content: Content): Promise<void> {
    const bytes = await bytesOf(content);
    this.#change(repository, tag, name, (asset) => ({ ...asset, bytes }));
  }

  /** In the place of what has the same tag. */
  replace(repository: string, release: StoredRelease): void {
    this.remove(repository, release.tag);
    this.create(repository).push(release);
  }

  /** One more file of a release, as an upload adds it. */
  async addAsset(repository: string, release: StoredRelease, name: string, content: Content): Promise<StoredAsset> {
    const bytes = await bytesOf(content);
    const said = { sizeBytes: bytes.sizeBytes, digest: `sha256:${bytes.sha256}`, state: 'uploaded' as const, updatedAt: new Date() };
    const asset = { id: this.#nextId(), name, bytes, ...said };
    this.replace(repository, { ...release, assets: [...release.assets, asset] });
    return asset;
  }

  #change(repository: string, tag: string, name: string, change: (asset: StoredAsset) => StoredAsset): void {
    const release = this.create(repository).find((one) => one.tag === tag);
    if (!release?.assets.some((asset) => asset.name === name)) throw new Error(`${repository} has no ${name} in ${tag}`);
    this.replace(repository, { ...release, assets: release.assets.map((asset) => (asset.name === name ? change(asset) : asset)) });
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}
