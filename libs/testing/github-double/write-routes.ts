import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { MemoryStore } from './memory-store.js';
import type { StoredRelease } from './model.js';
import { type Places, renderAsset, renderRelease } from './render.js';
import { json, type Question, type Reply, refusal } from './reply.js';

interface Wanted {
  readonly tag_name?: string;
  readonly name?: string;
  readonly body?: string;
  readonly draft?: boolean;
  readonly prerelease?: boolean;
}

/** Releases as they are made by the API: a draft, its assets one by one, and its publication. For repositories that are there, and known tokens. */
export class Writes {
  readonly #store: MemoryStore;
  #folder: Promise<string> | undefined;
  #uploads = 0;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  async answer({ method, parts, query, body }: Question, identity: string, places: Places): Promise<Reply> {
    const repository = `${parts[1]}/${parts[2]}`;
    const [id, assets] = parts.slice(4);
    if (identity === '') return refusal(401, 'Requires authentication');
    if (parts[0] !== 'repos' || parts[3] !== 'releases' || !(await this.#store.releases(repository))) return refusal(404, 'Not Found');
    if (method === 'POST' && id === undefined) return this.#create(repository, await wanted(body), places);
    const release = (await this.#store.releases(repository))?.find((one) => one.id === Number(id));
    if (!release) return refusal(404, 'Not Found');
    if (method === 'POST' && assets === 'assets') return this.#upload(repository, release, { name: query.get('name') ?? '', body, places });
    if (method === 'PATCH' && assets === undefined) return this.#edit(repository, release, await wanted(body), places);
    if (method !== 'DELETE' || assets !== undefined) return refusal(404, 'Not Found');
    this.#store.remove(repository, release.tag);
    return { status: 204 };
  }

  async close(): Promise<void> {
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
  }

  async #create(repository: string, { tag_name: tag, ...given }: Wanted, places: Places): Promise<Reply> {
    if (!tag || (await this.#store.releases(repository))?.some((one) => one.tag === tag)) return refusal(422, 'Validation Failed');
    return json(201, renderRelease(await this.#store.publish(repository, { tag, ...given }), repository, places));
  }

  /** Bytes go to a file, as large as they are. */
  async #upload(
    repository: string,
    release: StoredRelease,
    { name, body, places }: { readonly name: string; readonly body: Readable | undefined; readonly places: Places },
  ): Promise<Reply> {
    if (name === '' || !body || release.assets.some((asset) => asset.name === name)) return refusal(422, 'Validation Failed');
    this.#folder ??= mkdtemp(join(tmpdir(), 'webspaces-github-'));
    this.#uploads += 1;
    const path = join(await this.#folder, String(this.#uploads));
    await pipeline(body, createWriteStream(path));
    const asset = await this.#store.addAsset(repository, release, name, { path });
    return json(201, renderAsset(asset, release, repository, places));
  }

  #edit(repository: string, release: StoredRelease, given: Wanted, places: Places): Reply {
    const { name = release.name, body = release.body, draft = release.draft, prerelease = release.prerelease } = given;
    const edited = { ...release, name, body, draft, prerelease, ...(release.draft && !draft ? { createdAt: new Date() } : {}) };
    this.#store.replace(repository, edited);
    return json(200, renderRelease(edited, repository, places));
  }
}

async function wanted(body: Readable | undefined): Promise<Wanted> {
  return body ? (JSON.parse(await text(body)) as Wanted) : {};
}
