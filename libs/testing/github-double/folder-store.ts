import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bytes, bytesOf } from './content.js';
import { newestFirst, type ReleaseSource, type StoredAsset, type StoredRelease, stableId } from './model.js';

/** Beside the files of a release, optional: `{"body": "…", "prerelease": true, "draft": false, "publishedAt": "2026-01-01T00:00:00Z"}`. */
const ABOUT = '.release.json';

interface About {
  readonly name?: string;
  readonly body?: string;
  readonly prerelease?: boolean;
  readonly draft?: boolean;
  readonly publishedAt?: string;
}

/**
 * Serves `<root>/<owner>/<repo>/<tag, / as %2F>/<file>` as releases, read anew at each question. A file's id goes with its path, size and time of
 * change: a changed file is another asset. Names that begin with a dot are not shown, so that a file can be written and then renamed.
 */
export class FolderStore implements ReleaseSource {
  readonly #root: string;
  readonly #known = new Map<string, Promise<Bytes>>();

  constructor(root: string) {
    this.#root = root;
  }

  async releases(repository: string): Promise<readonly StoredRelease[] | undefined> {
    const parts = repository.split('/');
    if (!parts.every((part) => /^\w[\w.-]*$/.test(part))) return undefined;
    const folder = join(this.#root, ...parts);
    const entries = await readFolder(folder);
    if (!entries) return undefined;
    const tags = entries.filter((entry) => entry.isDirectory() && isEncoded(entry.name));
    return newestFirst(await Promise.all(tags.map(({ name }) => this.#release(repository, join(folder, name), decodeURIComponent(name)))));
  }

  async #release(repository: string, folder: string, tag: string): Promise<StoredRelease> {
    const files = ((await readFolder(folder)) ?? []).filter((entry) => entry.isFile() && !entry.name.startsWith('.'));
    const about = await readAbout(folder);
    const found = await Promise.all(files.map(({ name }) => this.#asset(repository, tag, join(folder, name), name)));
    const assets = found.filter((asset) => asset !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
    const oldest = Math.min(...assets.map(({ updatedAt }) => updatedAt.getTime()));
    return {
      ...{ id: stableId(`${repository}@${tag}`), tag, name: about.name ?? tag, body: about.body ?? '', immutable: false, assets },
      ...{ draft: about.draft ?? false, prerelease: about.prerelease ?? false },
      createdAt: about.publishedAt === undefined ? new Date(Number.isFinite(oldest) ? oldest : 0) : new Date(about.publishedAt),
    };
  }

  async #asset(repository: string, tag: string, path: string, name: string): Promise<StoredAsset | undefined> {
    try {
      const { mtime, mtimeMs, size } = await stat(path);
      const key = `${repository}@${tag}/${name} ${mtimeMs} ${size}`;
      const known = this.#known.get(key) ?? bytesOf({ path });
      this.#known.set(key, known);
      const bytes = await known;
      const digest = `sha256:${bytes.sha256}`;
      return { id: stableId(key), name, bytes, sizeBytes: size, digest, state: 'uploaded', updatedAt: mtime };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // removed meanwhile
      throw error;
    }
  }
}

function isEncoded(name: string): boolean {
  return /^[\w-](?:[\w.~!'()*-]|%[0-9A-Fa-f]{2})*$/.test(name);
}

async function readFolder(path: string): Promise<Dirent[] | undefined> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function readAbout(folder: string): Promise<About> {
  try {
    return JSON.parse(await readFile(join(folder, ABOUT), 'utf8')) as About;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
