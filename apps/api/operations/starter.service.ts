import { Inject, Injectable } from '@nestjs/common';
import { operationResourceId, workflowIdOf } from '#libs/contracts/ids.js';
import { type CreateWebspaceInput, type OperationKind, type Requester, STARTED_UPDATE } from '#libs/contracts/operations.js';
import { webspaceNameFor } from '#libs/domain/names.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo } from '#libs/identity/identity.js';
import type { OperationHandle, OperationSummary, StartRequest } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { sealedExtras, type WantedExtras } from './extras.js';
import { bodyMarkOf, operationIdFor, uidFor, uuidV7 } from './ids.js';
import { StillRunning } from './still-running.js';

/** What an operation is asked to do, besides who asks. */
export interface Wish {
  readonly kind: Exclude<OperationKind, 'reconcile'>;
  readonly name: string;
  /** Account id of the owner. */
  readonly owner: string;
  /** Whose it is, for people. */
  readonly ownerName: string;
  readonly body?: unknown;
}

/** Who asks, and for what. */
type Asker = Omit<RequestContext, 'account'>;

type InputOf = (common: { readonly name: string; readonly operationId: string; readonly requestedBy: Requester }) => object;

/** Starts operations for requests, and waits for them. */
@Injectable()
export class Starter {
  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {}

  nameFor(accountId: string): string {
    return webspaceNameFor(this.deps.config.platform.instancePrefix, accountId);
  }

  requestFor(context: Asker, wish: Wish, inputOf: InputOf = (common) => common): StartRequest {
    const { caller, idempotencyKey } = context;
    const operationId = namedOperationId(context, wish.name) ?? uuidV7();
    const requestedBy = { subject: caller.subject, username: caller.username };
    return {
      kind: wish.kind,
      name: wish.name,
      operationId,
      input: inputOf({ name: wish.name, operationId, requestedBy }),
      requestedBy,
      owner: wish.owner,
      summary: `${wish.kind} ${wish.name} for ${wish.ownerName}, asked by ${caller.username}`,
      ...(idempotencyKey ? { body: bodyMarkOf(wish.body, this.deps.sealing) } : {}),
    };
  }

  async createRequestFor(
    context: RequestContext,
    owner: AccountInfo,
    { image, boot, extras }: { readonly image: string; readonly boot: boolean; readonly extras: WantedExtras },
    body: unknown,
  ): Promise<StartRequest> {
    const extrasFor = await sealedExtras(extras, this.deps.sealing);
    const wish = { kind: 'create', name: this.nameFor(owner.id), owner: owner.id, ownerName: owner.username, body } as const;
    return this.requestFor(context, wish, (common): CreateWebspaceInput => {
      const uid = uidFor(common.operationId);
      return {
        ...common,
        uid,
        owner: { id: owner.id, username: owner.username },
        image,
        boot,
        ...(extrasFor ? { extras: extrasFor({ uid, operationId: common.operationId }) } : {}),
      };
    });
  }

  /**
   * The operation that a request with the same `Idempotency-Key` of the same caller began: what had to be true before it began need not be
   * true any more.
   */
  async begun(context: RequestContext, kind: Wish['kind'], name: string): Promise<OperationSummary | undefined> {
    const operationId = namedOperationId(context, name);
    if (operationId === undefined) return undefined;
    try {
      return await this.deps.operations.peek(operationResourceId(kind, name, operationId));
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async start(context: RequestContext, request: StartRequest): Promise<OperationHandle> {
    const handle = await this.deps.operations.start(request);
    context.noteOperation(handle.id);
    return handle;
  }

  /** Starts and answers with the operation as it is now. */
  async begin(context: RequestContext, request: StartRequest): Promise<OperationSummary> {
    return await this.deps.operations.peek((await this.start(context, request)).id);
  }

  /** Starts and waits for the result. @throws the operation's own error; StillRunning when the wait is over. */
  async run<T>(context: RequestContext, request: StartRequest): Promise<T> {
    const handle = await this.start(context, request);
    const outcome = await this.deps.operations.result<T>(handle, { timeoutMs: this.#waitMs });
    if (outcome.status === 'running') throw new StillRunning(handle.id);
    return outcome.result;
  }

  /**
   * What has to be known before anything is begun, asked while Temporal is asked whether it is there. When both questions fail, this one's error
   * is told.
   */
  async first<T>(question: Promise<T>): Promise<T> {
    const [answer, temporal] = await Promise.allSettled([question, this.deps.operations.check()]);
    if (answer.status === 'rejected') throw answer.reason;
    if (temporal.status === 'rejected') throw temporal.reason;
    return answer.value;
  }

  /** Starts, or joins, and waits for a milestone: the answer of that update. To be called after {@link first}. */
  async runUntil<T>(context: Asker, request: StartRequest, update: string): Promise<T> {
    const options = {
      update,
      checked: true,
      timeoutMs: this.#waitMs,
      ...(context.idempotencyKey ? { updateId: request.operationId } : {}),
    };
    const outcome = await this.deps.operations.runUntil<T>(request, options).catch((error: unknown) => {
      // It ran and failed; had Temporal been away there might be none to look at.
      if (!isPlatformError(error, 'UNAVAILABLE')) context.noteOperation(workflowIdOf(request.kind, request.name, request.operationId));
      throw error;
    });
    context.noteOperation(outcome.id);
    if (outcome.status === 'running') throw new StillRunning(outcome.id);
    return outcome.result;
  }

  /** Boots, or joins the boot under way, until LXD has started it. To be called after {@link first}. */
  async boot(context: Asker, wish: Wish): Promise<void> {
    await this.runUntil(
      context,
      this.requestFor(context, wish, ({ name }) => ({ name })),
      STARTED_UPDATE,
    );
  }

  get #waitMs(): number {
    return this.deps.config.limits.waitSeconds * 1000;
  }
}

/** The operation that the caller's `Idempotency-Key` stands for. */
function namedOperationId({ caller, route, idempotencyKey }: Asker, name: string): string | undefined {
  return idempotencyKey && operationIdFor({ subject: caller.subject, route: `${route} ${name}`, key: idempotencyKey });
}
