import { Inject, Injectable } from '@nestjs/common';
import { APPROVE_UPDATE, type ApprovalAnswer } from '#libs/contracts/images.js';
import { isAdminKind } from '#libs/contracts/operations.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { OperationDetail, OperationPage, OperationSummary } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import { StillRunning } from '../operations/still-running.js';
import type { OperationListQuery } from './schemas.js';

/** Kinds that many callers share, so that no single one may end them for all. */
const SHARED: ReadonlySet<string> = new Set(['boot', 'reconcile', 'restore']);

/** Operations as their callers may see them: a member those on the own webspace, an admin all. */
@Injectable()
export class OperationsOfCaller {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Starter) private readonly starter: Starter,
  ) {}

  async list({ caller }: RequestContext, { webspace, kind, status, limit, cursor }: OperationListQuery): Promise<OperationPage> {
    if (kind !== undefined && isAdminKind(kind) && !caller.isAdmin)
      throw new PlatformError('FORBIDDEN', 'Only admins see upgrades and scalings.');
    return await this.deps.operations.list({
      limit,
      ...(caller.isAdmin ? {} : { visibleTo: { owner: caller.subject, webspace: this.starter.nameFor(caller.subject) } }),
      ...(webspace === undefined ? {} : { webspace }),
      ...(kind === undefined ? {} : { kind }),
      ...(status === undefined ? {} : { status }),
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  async read(context: RequestContext, id: string): Promise<OperationDetail> {
    const detail = await this.deps.operations.get(id);
    this.#assertVisible(context, detail);
    return detail;
  }

  /** @throws PlatformError FORBIDDEN, NOT_FOUND, CONFLICT when it does not wait for an approval. */
  async approve(context: RequestContext, id: string): Promise<ApprovalAnswer> {
    const { caller } = context;
    const operation = await this.assertVisible(context, id);
    if (!caller.isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins approve operations.');
    context.noteOperation(id);
    if (isAdminKind(operation.kind)) {
      const [what, where] = operation.kind === 'scale' ? ['A scaling', 'scalings'] : ['An upgrade', 'upgrades'];
      throw new PlatformError('CONFLICT', `${what} is approved by the hash of its plan: POST /v2/clusters/{name}/${where}/{id}/approve.`, {
        details: { operation: id },
      });
    }
    if (operation.kind !== 'import' || operation.status !== 'running') {
      throw new PlatformError('CONFLICT', `The operation does not wait for an approval: it is ${operation.status}.`, {
        details: { operation: id },
      });
    }
    const by = { subject: caller.subject, username: caller.username };
    const outcome = await this.deps.operations.update<ApprovalAnswer>(id, { update: APPROVE_UPDATE, argument: by });
    if (outcome.status === 'running') throw new StillRunning(id);
    return outcome.result;
  }

  async cancel(context: RequestContext, id: string): Promise<OperationSummary> {
    const operation = await this.deps.operations.peek(id);
    this.#assertVisible(context, operation);
    context.noteOperation(id);
    if (operation.status !== 'running')
      throw new PlatformError('CONFLICT', `The operation has ended already: ${operation.status}.`, { details: { operation: id } });
    if (SHARED.has(operation.kind) && !context.caller.isAdmin) {
      throw new PlatformError('FORBIDDEN', `A ${operation.kind} is shared by everyone who waits for it; only an admin can cancel it.`, {
        details: { operation: id },
      });
    }
    await this.deps.operations.cancel(id);
    return operation;
  }

  /** @throws PlatformError FORBIDDEN, NOT_FOUND, without asking a worker. */
  async assertVisible(context: RequestContext, id: string): Promise<OperationSummary> {
    const operation = await this.deps.operations.peek(id);
    this.#assertVisible(context, operation);
    return operation;
  }

  #assertVisible({ caller }: RequestContext, { kind, owner, webspace }: OperationSummary): void {
    if (caller.isAdmin) return;
    if (isAdminKind(kind)) throw new PlatformError('FORBIDDEN', 'Only admins see upgrades and scalings.');
    if (owner === caller.subject || webspace === this.starter.nameFor(caller.subject)) return;
    throw new PlatformError('FORBIDDEN', "This operation is on somebody else's webspace.");
  }
}
