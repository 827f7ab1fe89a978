import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
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
  /** `METHOD path` of each request, in order. */
  readonly requests: string[];
  /** Runs before a request is done; what it throws or does comes first. Undefined for none. */
  beforeEach: ((request: string) => void | Promise<void>) | undefined;
  close(): Promise<void>;
}

const DEFAULT_LIMIT = 500;

export async function startKubernetesDouble(): Promise<KubernetesDouble> {
  const store = new Store();
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    double.requests.push(line);
    let answer: { status: number; body: unknown };
    try {
      await double.beforeEach?.(line);
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
  writeFileSync(kubeconfig, JSON.stringify(configFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)));
  const double: KubernetesDouble = {
    kubeconfig,
    requests: [],
    beforeEach: undefined,
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
  const [, collection = '', name, status] = /^(\/apis?\/.*?\/namespaces\/[^/]+\/[^/]+)(?:\/([^/]+))?(\/status)?$/.exec(pathname) ?? [];
  const path = `${collection}/${name ?? object.metadata?.name}`;
  switch (request.method) {
    case 'GET':
      return name === undefined ? listOf(store.list(collection), searchParams) : store.get(path);
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

/** A page of those that fit the selector: `key=value` or `key`, all of them. */
function listOf(objects: readonly KubeObject[], query: URLSearchParams): unknown {
  const wanted = (query.get('labelSelector') ?? '').split(',').filter(Boolean);
  const fits = ({ metadata }: KubeObject) =>
    wanted.every((term) => {
      const [key = '', value] = term.split('=');
      return value === undefined ? key in (metadata.labels ?? {}) : metadata.labels?.[key] === value;
    });
  const from = Number(query.get('continue') ?? 0);
  const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
  const found = objects.filter(fits);
  const rest = found.length > from + limit ? { continue: String(from + limit) } : {};
  return { items: found.slice(from, from + limit), metadata: rest };
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
