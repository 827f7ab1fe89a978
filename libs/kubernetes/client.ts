import { Agent, type Dispatcher } from 'undici';
import {
  KINDS,
  type KindInfo,
  type KindName,
  type KubeObject,
  type NewObject,
  type StoredObject,
} from '#libs/contracts/kubernetes-objects.js';
import { FIELD_MANAGER } from '#libs/contracts/webspaces-api.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '../net/time-limit.js';
import { type Credentials, loadCredentials } from './credentials.js';
import { errorOfAnswer, errorOfTransport } from './errors.js';
import { type ExecInPod, type ExecResult, execInPod } from './exec.js';
import type { CallOptions, KubernetesOptions, Preconditions, WatchChange } from './options.js';
import { PodShell } from './shell.js';
import { type WatchOptions, watchChanges } from './watch.js';

export type { CallOptions, KubernetesOptions, Preconditions, WatchChange } from './options.js';

interface Request extends CallOptions {
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly about: string;
}

const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/**
 * The verbs this project uses on the objects of one namespace and on those of none, over kept-alive connections (the generated client makes a
 * new TLS connection for each request: docs/adr/0004). Every method throws PlatformError: NOT_FOUND; CONFLICT when a created name exists; STALE when
 * a precondition does not hold; INVALID_INPUT when the server refuses the content; DENIED_UPSTREAM; UNAVAILABLE. The signal aborts reads; a
 * write that is under way is waited for.
 */
export class KubernetesClient {
  readonly namespace: string;
  readonly #timeoutMs: number;
  readonly #fieldManager: string;
  readonly #credentials: Credentials;
  readonly #agent: Agent;

  constructor(options: KubernetesOptions, shared?: { readonly credentials: Credentials; readonly agent: Agent }) {
    this.namespace = options.namespace;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#fieldManager = options.fieldManager ?? FIELD_MANAGER;
    this.#credentials = shared?.credentials ?? loadCredentials(options);
    this.#agent =
      shared?.agent ?? new Agent({ connect: { ...this.#credentials.tls, timeout: 5_000 }, connections: 16, keepAliveTimeout: 30_000 });
  }

  /** The same server and connections, for another namespace; closed with this one. */
  in(namespace: string): KubernetesClient {
    const options = { namespace, timeoutMs: this.#timeoutMs, fieldManager: this.#fieldManager };
    return new KubernetesClient(options, { credentials: this.#credentials, agent: this.#agent });
  }

  get(kind: KindName, name: string, options: CallOptions = {}): Promise<StoredObject> {
    return this.#call<StoredObject>('GET', this.#path(kind, name), { ...options, about: `${KINDS[kind].kind} ${name}` });
  }

  /** As {@link get}, with undefined for an object that does not exist. */
  async find(kind: KindName, name: string, options: CallOptions = {}): Promise<StoredObject | undefined> {
    try {
      return await this.get(kind, name, options);
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** All objects that fit the selector, read page by page; of kinds marked so only the metadata. */
  async list(kind: KindName, options: CallOptions & { readonly labelSelector?: string } = {}): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    let continuation = '';
    do {
      const query = new URLSearchParams({ limit: '500' });
      if (options.labelSelector) query.set('labelSelector', options.labelSelector);
      if (continuation) query.set('continue', continuation);
      const page = await this.#call<{ items: KubeObject[] | null; metadata: { continue?: string } }>(
        'GET',
        `${this.#path(kind)}?${query}`,
        {
          ...options,
          ...((KINDS[kind] as KindInfo).metadataOnly ? { accept: METADATA_ONLY } : {}),
          about: KINDS[kind].plural,
        },
      );
      const { apiVersion, kind: kindName } = KINDS[kind];
      // Of metadata alone an empty list is null.
      for (const item of page.items ?? []) objects.push({ ...item, apiVersion, kind: kindName } as StoredObject);
      continuation = page.metadata.continue ?? '';
    } while (continuation);
    return objects;
  }

  /** @throws CONFLICT when an object of that name exists: whoever creates the name owns what it stands for. */
  create(kind: KindName, object: NewObject, options: CallOptions = {}): Promise<StoredObject> {
    const body = this.#complete(kind, object);
    return this.#call<StoredObject>('POST', `${this.#path(kind)}?fieldManager=${this.#fieldManager}`, {
      ...options,
      body,
      about: `${KINDS[kind].kind} ${object.metadata.name}`,
    });
  }

  /** Writes the whole object back; its `resourceVersion` is the precondition (STALE). */
  replace(kind: KindName, object: StoredObject, options: CallOptions = {}): Promise<StoredObject> {
    return this.#call<StoredObject>('PUT', `${this.#path(kind, object.metadata.name)}?fieldManager=${this.#fieldManager}`, {
      ...options,
      body: object,
      about: `${KINDS[kind].kind} ${object.metadata.name}`,
    });
  }

  /**
   * Server-side apply, forced: these fields are ours. `uid` and `resourceVersion` in the metadata are preconditions (STALE); of a status only
   * `resourceVersion` is, the server takes any uid (Kubernetes 1.36, tried). What the same manager applied before and does not now is taken
   * away: whoever applies other fields of an object is another `fieldManager`.
   */
  apply(
    kind: KindName,
    object: NewObject,
    options: CallOptions & { readonly subresource?: 'status'; readonly fieldManager?: string } = {},
  ): Promise<StoredObject> {
    const { subresource, fieldManager = this.#fieldManager, ...rest } = options;
    const path = `${this.#path(kind, object.metadata.name)}${subresource ? `/${subresource}` : ''}?fieldManager=${fieldManager}&force=true`;
    return this.#call<StoredObject>('PATCH', path, {
      ...rest,
      body: this.#complete(kind, object),
      contentType: 'application/apply-patch+yaml',
      about: `${KINDS[kind].kind} ${object.metadata.name}`,
    });
  }

  /**
   * Strategic merge patch, for what an apply cannot do: null takes a field away, whoever owns it. `uid` and `resourceVersion` in the metadata
   * are preconditions (STALE). Kinds of Kubernetes itself only.
   */
  merge(kind: KindName, name: string, patch: Readonly<Record<string, unknown>>, options: CallOptions = {}): Promise<StoredObject> {
    return this.#call<StoredObject>('PATCH', `${this.#path(kind, name)}?fieldManager=${this.#fieldManager}`, {
      ...options,
      body: patch,
      contentType: 'application/strategic-merge-patch+json',
      about: `${KINDS[kind].kind} ${name}`,
    });
  }

  /** Runs a command in a container, without a terminal and without input; an exit code other than 0 is no error. */
  exec(pod: string, command: ExecInPod, options: CallOptions = {}): Promise<ExecResult> {
    return execInPod({ credentials: this.#credentials, path: `${this.#path('pod', pod)}/exec`, pod }, command, options);
  }

  /** A shell in a container, for many short commands; `timeoutMs` to get there. @throws as `exec`. */
  shell(pod: string, into: { readonly container: string; readonly timeoutMs: number }, options: CallOptions = {}): Promise<PodShell> {
    return PodShell.open({ credentials: this.#credentials, path: `${this.#path('pod', pod)}/exec`, pod }, into, options);
  }

  /** The last lines of a container's log, of the run before this one when `previous`. */
  async logTail(
    pod: string,
    { container, lines, of }: { readonly container: string; readonly lines: number; readonly of: 'this-run' | 'run-before' },
    options: CallOptions = {},
  ): Promise<string> {
    const query = new URLSearchParams({ container, tailLines: String(lines), limitBytes: '16384', previous: String(of === 'run-before') });
    return this.#text('GET', `${this.#path('pod', pod)}/log?${query}`, { ...options, accept: '*/*', about: `the log of ${pod}` });
  }

  /** Deletes under preconditions; true when it did, false when there is no such object (any more). */
  async delete(
    kind: KindName,
    name: string,
    preconditions: Preconditions,
    options: CallOptions & { readonly dependents?: 'Background' | 'Orphan' } = {},
  ): Promise<boolean> {
    const { dependents = 'Background', ...rest } = options;
    try {
      await this.#call('DELETE', this.#path(kind, name), {
        ...rest,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: dependents, preconditions },
        about: `${KINDS[kind].kind} ${name}`,
      });
      return true;
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'NOT_FOUND') return false;
      throw error;
    }
  }

  /** The version of a collection now, to {@link watch} from. */
  async versionOf(kind: KindName, options: CallOptions = {}): Promise<string> {
    const path = `${this.#path(kind)}?limit=1`;
    const page = await this.#call<{ metadata: { resourceVersion: string } }>('GET', path, { ...options, about: KINDS[kind].plural });
    return page.metadata.resourceVersion;
  }

  /**
   * Says what changes from that version on, until the server ends the stream, which it does every few minutes; gives the version to go on
   * from. @throws PlatformError when the stream breaks, falls silent for two minutes, or the version is too old: then everything may have
   * changed.
   */
  watch(kind: KindName, options: WatchOptions, onChange: (change: WatchChange) => void): Promise<string> {
    const place = { credentials: this.#credentials, agent: this.#agent, path: this.#path(kind), about: `changes of ${KINDS[kind].plural}` };
    return watchChanges(place, options, onChange);
  }

  /** Whether the API server says it is ready. */
  async ready(options: CallOptions = {}): Promise<void> {
    await this.#text('GET', '/readyz', { ...options, about: 'the API server' });
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  #complete(kind: KindName, object: NewObject): KubeObject {
    const { apiVersion, kind: kindName, clusterScoped }: KindInfo = KINDS[kind];
    const metadata = clusterScoped ? object.metadata : { ...object.metadata, namespace: this.namespace };
    return { ...object, apiVersion, kind: kindName, metadata };
  }

  #path(kind: KindName, name?: string): string {
    const info: KindInfo = KINDS[kind];
    const base = info.apiVersion.includes('/') ? `/apis/${info.apiVersion}` : `/api/${info.apiVersion}`;
    const place = info.clusterScoped ? base : `${base}/namespaces/${this.namespace}`;
    return `${place}/${info.plural}${name === undefined ? '' : `/${name}`}`;
  }

  async #call<T>(method: Dispatcher.HttpMethod, path: string, options: Request): Promise<T> {
    const text = await this.#text(method, path, options);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new PlatformError('PROTOCOL', `The Kubernetes API answered ${method} ${options.about} with something that is not JSON.`, {
        cause,
      });
    }
  }

  async #text(method: Dispatcher.HttpMethod, path: string, options: Request): Promise<string> {
    options.signal?.throwIfAborted();
    const timeout = timeLimit(this.#timeoutMs);
    // A write that is aborted on its way may still be done: the caller could undo it before it happens.
    const signal = options.signal && method === 'GET' ? AbortSignal.any([options.signal, timeout]) : timeout;
    let status: number;
    let headers: Record<string, string | string[] | undefined>;
    let text: string;
    try {
      const answer = await this.#agent.request({
        origin: this.#credentials.server,
        path,
        method,
        headers: {
          accept: options.accept ?? 'application/json',
          ...(await this.#credentials.headers()),
          ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
        },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        signal,
      });
      status = answer.statusCode;
      headers = answer.headers;
      text = await answer.body.text();
    } catch (cause) {
      throw errorOfTransport(cause, { about: options.about, caller: options.signal, timeout });
    }
    if (status >= 400) throw errorOfAnswer(status, text, { about: options.about, retryAfter: headers['retry-after'] });
    return text;
  }
}
