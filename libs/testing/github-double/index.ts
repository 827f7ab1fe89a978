import type { z } from 'zod';
import { type GithubConfig, githubSchema } from '#libs/config/github.js';
import { Access, type DoubleApp } from './access.js';
import { type ApiWorld, answerApi } from './api-routes.js';
import { Budget } from './budget.js';
import { type Delivery, deliver, type WebhookEvent } from './deliver.js';
import { GithubFaults } from './faults.js';
import { FolderStore } from './folder-store.js';
import { answerControl } from './git/control-routes.js';
import { Person } from './git/person.js';
import type { Files, GitRepository } from './git/repository.js';
import { GitStore } from './git/store.js';
import { listen } from './http-server.js';
import { MemoryStore, type PublishRequest } from './memory-store.js';
import type { ReleaseSource, StoredRelease } from './model.js';
import type { Question, Reply } from './reply.js';
import { Storage } from './storage.js';
import { answerWeb } from './web-routes.js';
import { Writes } from './write-routes.js';

export interface GithubDoubleOptions {
  /** Serve this folder's releases beside the published ones (see {@link FolderStore}). */
  readonly root?: string;
  readonly host?: string;
  /** Of the API and the web side; the storage has its own. Default: free ones. */
  readonly port?: number;
  readonly storagePort?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly app?: DoubleApp;
  /** Calls an hour; GitHub: 60 and 5 000. */
  readonly limits?: { readonly anonymous?: number; readonly token?: number };
  /** Keeps repositories with files here over starts. */
  readonly gitFile?: string;
  /** `http`: people can be played by requests, too (git/control-routes.ts). */
  readonly controls?: 'http';
}

/** What was asked for and answered. */
export interface Counts {
  /** Listings of releases, 304s included. */
  list: number;
  notModified: number;
  /** Calls for one asset. */
  asset: number;
  /** Installation tokens. */
  token: number;
  /** Browser addresses of assets. */
  web: number;
  /** Reads from the storage. */
  storage: number;
  /** All calls to the API. */
  api: number;
  /** Bytes of assets that were sent. */
  sentBytes: number;
  /** Credentials that reached the storage or the web side. */
  leaked: number;
}

export interface GithubDouble {
  /** Both `baseUrl` and `webUrl` of a configuration. */
  readonly url: string;
  readonly storageUrl: string;
  /** `host:port` of the storage, for `assetHosts`. */
  readonly storageHost: string;
  /** A configuration of `libs/github` that leads here; private addresses are allowed unless said otherwise. */
  config(settings?: z.input<typeof githubSchema>): GithubConfig;
  readonly counts: Counts;
  /** `METHOD place /path?query`, place being api, web or storage; in order. */
  readonly requests: string[];
  readonly faults: GithubFaults;
  readonly budget: Budget;
  readonly access: Access;
  readonly storage: Storage;
  readonly store: MemoryStore;
  /** A repository with files: branches, commits, pull requests and checks by the API; unless it is there. */
  repository(name: string, files: Files): GitRepository;
  /** Somebody who acts in it without the API: pushes, merges, reverts, closes, and their machines' checks. */
  person(repository: string, login: string): Person;
  publish(repository: string, request: PublishRequest): Promise<StoredRelease>;
  /** The repository answers by 301 to its new name, under which it was published. */
  move(from: string, to: string): void;
  /** Sends a `release` event of that tag to a receiver. */
  deliver(url: string, secret: string, event: Omit<WebhookEvent, 'release'> & { readonly tag: string }): Promise<Delivery>;
  resetCounts(): void;
  close(): Promise<void>;
}

/** A stand-in for GitHub on real sockets: API and web side at one port, the storage of assets at another. */
export async function startGithubDouble(options: GithubDoubleOptions = {}): Promise<GithubDouble> {
  const { host = '127.0.0.1', port = 0, storagePort = 0, tls } = options;
  const [store, faults, budget, access] = [new MemoryStore(), new GithubFaults(), new Budget(options.limits), new Access(options.app)];
  const source = both(store, options.root === undefined ? undefined : new FolderStore(options.root));
  const counts: Counts = { list: 0, notModified: 0, asset: 0, token: 0, web: 0, storage: 0, api: 0, sentBytes: 0, leaked: 0 };
  const requests: string[] = [];
  const urls = { main: '', storage: '' };
  const storage = new Storage(() => urls.storage);
  const moved = new Map<string, string>();
  const writes = new Writes(store);
  const git = new GitStore(options.gitFile);
  const places = () => ({ apiUrl: urls.main, webUrl: urls.main });
  const world: ApiWorld = { source, access, budget, storage, writes, moved, git, numbers: new Map(), places };
  const seen = {
    ...{ host, tls, faults, onBytes: (count: number) => (counts.sentBytes += count) },
    onAnswer: (line: string, question: Question, reply: Reply | undefined) => {
      requests.push(line);
      count(counts, line, question, reply);
    },
  };
  const main = await listen({
    ...{ ...seen, port, placeOf: (question) => (isApi(question) ? 'api' : 'web') },
    answer: (question) => {
      if (options.controls === 'http' && question.parts[0] === '_simulator') return answerControl(git, question);
      return isApi(question) ? answerApi(world, question) : answerWeb(world, question);
    },
  });
  const bytes = await listen({
    ...seen,
    port: storagePort,
    placeOf: () => 'storage',
    answer: async (question) => storage.answer(question),
  });
  Object.assign(urls, { main: main.url, storage: bytes.url });
  return {
    ...{
      url: main.url,
      storageUrl: bytes.url,
      storageHost: new URL(bytes.url).host,
      counts,
      requests,
      faults,
      budget,
      access,
      storage,
      store,
    },
    config: (settings) =>
      githubSchema.parse({
        ...{ baseUrl: main.url, webUrl: main.url, assetHosts: [new URL(bytes.url).host], allowPrivateAddresses: true, timeoutMs: 5000 },
        ...settings,
      }),
    repository: (name, files) => git.create(name, files),
    person: (repository, login) => {
      const found = git.find(repository);
      if (!found) throw new Error(`there is no repository ${repository} with files`);
      return new Person(found, login);
    },
    publish: (repository, request) => store.publish(repository, request),
    move: (from, to) => void moved.set(from.toLowerCase(), to),
    async deliver(url, secret, { tag, ...event }) {
      const release = (await source.releases(event.repository))?.find((one) => one.tag === tag);
      if (!release) throw new Error(`${event.repository} has no release ${tag}`);
      return await deliver(url, secret, { ...event, release }, places());
    },
    resetCounts: () => {
      for (const key of Object.keys(counts) as (keyof Counts)[]) counts[key] = 0;
      requests.length = 0;
    },
    close: async () => {
      await Promise.all([main.close(), bytes.close()]);
      await writes.close();
    },
  };
}

function both(store: MemoryStore, folder: FolderStore | undefined): ReleaseSource {
  return { releases: async (repository) => (await store.releases(repository)) ?? (await folder?.releases(repository)) };
}

function isApi({ parts }: Question): boolean {
  return parts[0] === 'repos' || parts[0] === 'repositories' || parts[0] === 'app';
}

function count(counts: Counts, line: string, { headers, parts }: Question, reply: Reply | undefined): void {
  const [, place] = line.split(' ');
  if (place !== 'api' && headers.authorization !== undefined) counts.leaked += 1;
  if (place === 'web') counts.web += 1;
  if (place === 'storage') counts.storage += 1;
  if (place !== 'api') return;
  counts.api += 1;
  if (parts[0] === 'app') counts.token += 1;
  else if (parts.includes('assets')) counts.asset += 1;
  else if (parts.at(-1) === 'releases') counts.list += 1;
  if (reply?.status === 304) counts.notModified += 1;
}
