import { workflowIdOf } from '#libs/contracts/ids.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { resourceIdOf } from '#libs/temporal/describe.js';
import type {
  LookRequest,
  OperationDetail,
  OperationFilter,
  OperationOrder,
  Operations,
  Outcome,
  StartRequest,
} from '#libs/temporal/operations.js';

export interface OperationsFake extends Operations {
  readonly started: StartRequest[];
  readonly details: Map<string, OperationDetail>;
  readonly filters: OperationFilter[];
  readonly cancelled: string[];
  /** Updates so far. */
  readonly orders: { readonly id: string; readonly update: string; readonly argument: object }[];
  /** What an update is answered with. */
  answer: unknown;
  /** What queries are answered with, by operation and name. */
  readonly told: Map<string, unknown>;
  /** What a look sees, by its workflow id. */
  readonly seen: Map<string, unknown>;
  readonly looks: { readonly deliveryId: string; readonly repository: string }[];
  /** What a wait ends with: a result, an error, or nothing in time. */
  outcome: { readonly result: unknown } | PlatformError | 'running';
  /** When set, every call fails with it. */
  failure: PlatformError | undefined;
}

const RUN_ID = '00000000-0000-4000-8000-000000000001';

/** The port without Temporal behind it: remembers what was asked, and answers what the test says. */
export function createOperationsFake(): OperationsFake {
  const bodies = new Map<string, string | undefined>();
  const guard = () => {
    if (fake.failure) throw fake.failure;
  };
  const begin = (request: StartRequest): string => {
    guard();
    const workflowId = workflowIdOf(request.kind, request.name, request.operationId);
    const id = resourceIdOf(workflowId, RUN_ID) ?? workflowId;
    if (bodies.has(workflowId)) {
      const kept = bodies.get(workflowId);
      if (kept && request.body && !request.body.matches(kept))
        throw new PlatformError('CONFLICT', 'This Idempotency-Key was already used with another body.');
      return id;
    }
    bodies.set(workflowId, request.body?.fingerprint);
    fake.started.push(request);
    fake.details.set(id, detailOf(id, request));
    return id;
  };
  const end = <T>(id: string): Outcome<T> => {
    if (fake.outcome instanceof PlatformError) throw fake.outcome;
    return fake.outcome === 'running' ? { status: 'running', id } : { status: 'completed', result: fake.outcome.result as T, id };
  };
  const find = (id: string) => {
    guard();
    const detail = fake.details.get(id);
    if (!detail) throw new PlatformError('NOT_FOUND', `There is no operation "${id}".`);
    return detail;
  };
  const known = (answers: ReadonlyMap<string, unknown>, key: string): unknown => {
    const answer = answers.get(key) ?? new PlatformError('UNAVAILABLE', 'No worker answers just now.');
    if (answer instanceof PlatformError) throw answer;
    return answer;
  };
  const fake: OperationsFake = {
    started: [],
    details: new Map(),
    filters: [],
    cancelled: [],
    orders: [],
    answer: {},
    told: new Map(),
    seen: new Map(),
    looks: [],
    outcome: { result: {} },
    failure: undefined,
    async start(request) {
      const id = begin(request);
      return { id, workflowId: id, runId: RUN_ID };
    },
    result: async (handle) => end(handle.id),
    runUntil: async (request) => end(begin(request)),
    peek: async (id) => find(id),
    get: async (id) => find(id),
    async list(filter) {
      guard();
      fake.filters.push(filter);
      return { operations: [...fake.details.values()].filter(({ kind }) => filter.kind === undefined || kind === filter.kind) };
    },
    async update<T>(id: string, { update, argument }: OperationOrder): Promise<Outcome<T>> {
      find(id);
      if (fake.answer instanceof PlatformError) throw fake.answer;
      fake.orders.push({ id, update, argument });
      return fake.answer === 'running' ? { status: 'running', id } : { status: 'completed', result: fake.answer as T, id };
    },
    async query<T>(id: string, query: string) {
      find(id);
      return known(fake.told, `${query} of ${id}`) as T;
    },
    async look<T>({ workflowId }: LookRequest) {
      guard();
      return known(fake.seen, workflowId) as T;
    },
    async lookAtSources(request) {
      guard();
      fake.looks.push(request);
    },
    async cancel(id) {
      find(id);
      fake.cancelled.push(id);
    },
    check: async () => guard(),
    close: async () => undefined,
  };
  return fake;
}

export function detailOf(
  id: string,
  { kind, name, owner, requestedBy }: Pick<StartRequest, 'kind' | 'name' | 'owner' | 'requestedBy'>,
): OperationDetail {
  return {
    id,
    kind,
    webspace: name,
    status: 'running',
    owner,
    requestedBy,
    startedAt: '2026-01-02T03:04:05.000Z',
    links: { temporalUi: `http://temporal.test/namespaces/default/workflows/${encodeURIComponent(id)}/${RUN_ID}/history` },
    steps: [],
    waits: [],
  };
}
