import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { KubeObject } from '#libs/contracts/kubernetes-objects.js';
import { type Preconditions, Refusal, Store } from './store.js';

export { Refusal } from './store.js';

/** A Kubernetes API server inside the test's process: the verbs this project uses, held to the real one by one contract suite. */
export interface KubernetesDouble {
  /** To be given to {@link KubernetesClient}. */
  readonly kubeconfig: string;
  /** At the machine's loopback. */
  readonly port: number;
  /** `METHOD path` of each request, in order. */
  readonly requests: string[];
  /** Runs before a request is done; what it throws or does comes first. Undefined for none. */
  beforeEach: ((request: string) => void | Promise<void>) | undefined;
  /** Tells all who watch that their version is too old, and ends their streams. */
  expireWatches(): void;
  close(): Promise<void>;
}

const DEFAULT_LIMIT = 500;
/** Of one namespace, or of none. */
const COLLECTION_OBJECT_STATUS = /^((?:\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/[^/]+)?\/[^/]+)(?:\/([^/]+))?(\/status)?$/;

export async function startKubernetesDouble(): Promise<KubernetesDouble> {
  const store = new Store();
  const watches = new Watches(store);
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    double.requests.push(line);
    let answer: { status: number; body: unknown };
    try {
      await double.beforeEach?.(line);
      if (new URL(line.slice(4), 'http://double').searchParams.has('watch')) return watches.add(request, response);
      answer = { status: 200, body: await answerTo(store, request) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, reason, message, field } = error;
      const details = field === undefined ? {} : { details: { causes: [{ reason: 'FieldValueInvalid', field }] } };
      answer = { status, body: { kind: 'Status', status: 'Failure', code: status, reason, message, ...details } };
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-double-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const { port } = server.address() as AddressInfo;
  writeFileSync(kubeconfig, JSON.stringify(configFor(`http://127.0.0.1:${port}`)));
  const double: KubernetesDouble = {
    kubeconfig,
    port,
    requests: [],
    beforeEach: undefined,
    expireWatches: () => watches.expire(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return double;
}

async function answerTo(store: Store, request: IncomingMessage): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://double');
  if (pathname === '/readyz') return 'ok';
  const body = (await text(request)) || '{}';
  const object = JSON.parse(body) as KubeObject;
  const [, collection = '', name, status] = COLLECTION_OBJECT_STATUS.exec(pathname) ?? [];
  const path = `${collection}/${name ?? object.metadata?.name}`;
  switch (request.method) {
    case 'GET':
      return name === undefined ? listOf(store, collection, searchParams, request.headers.accept) : store.get(path);
    case 'POST':
      return store.create(path, object);
    case 'PUT':
      return store.replace(path, object);
    case 'PATCH':
      return status ? store.applyStatus(path, object) : store.apply(path, object);
    case 'DELETE':
      store.delete(path, ((object as { preconditions?: Preconditions }).preconditions ?? {}) as Preconditions);
      return { kind: 'Status', status: 'Success' };
    default:
      throw new Refusal(405, 'MethodNotAllowed', `${request.method} is not supported`);
  }
}

/** Streams of changes, one line of JSON each; they end with the double. */
class Watches {
  readonly #streams: { readonly send: () => void; readonly response: ServerResponse }[] = [];

  constructor(readonly store: Store) {
    store.onChange = () => {
      for (const { send } of this.#streams) send();
    };
  }

  add(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://double');
    const fits = fitting(searchParams);
    let after = Number(searchParams.get('resourceVersion'));
    const send = () => {
      for (const { type, object, version } of this.store.changesIn(pathname, after)) {
        after = version;
        if (fits(object)) response.write(`${JSON.stringify({ type, object })}\n`);
      }
    };
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    this.#streams.push({ send, response });
    send();
  }

  expire(): void {
    const status = { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old resource version' };
    for (const { response } of this.#streams.splice(0)) response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
  }
}

/** A page of those that fit the selector. */
function listOf(store: Store, collection: string, query: URLSearchParams, accept = ''): unknown {
  const from = Number(query.get('continue') ?? 0);
  const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
  const found = store.list(collection).filter(fitting(query));
  const rest = found.length > from + limit ? { continue: String(from + limit) } : {};
  const page = found.slice(from, from + limit);
  const ofMetadata = () => (page.length === 0 ? null : page.map(({ metadata }) => ({ metadata })));
  const items = accept.includes('as=PartialObjectMetadataList') ? ofMetadata() : page;
  return { items, metadata: { resourceVersion: store.version, ...rest } };
}

/** Fits the labelSelector of a query: `key=value`, `key in (one,other)` or `key`, all of them. */
function fitting(query: URLSearchParams): (object: KubeObject) => boolean {
  const wanted = (query.get('labelSelector') ?? '').split(/,(?![^(]*\))/).filter(Boolean);
  return ({ metadata }) =>
    wanted.every((term) => {
      const [, one = '', among] = /^(\S+) in \((.*)\)$/.exec(term) ?? [];
      if (among !== undefined) return among.split(',').includes(metadata.labels?.[one] ?? '');
      const [key = '', value] = term.split('=');
      return value === undefined ? key in (metadata.labels ?? {}) : metadata.labels?.[key] === value;
    });
}

function configFor(server: string) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'double', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'double', user: {} }],
    contexts: [{ name: 'double', context: { cluster: 'double', user: 'double' } }],
    'current-context': 'double',
  };
}
