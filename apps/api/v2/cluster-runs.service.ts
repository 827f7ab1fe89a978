import { parseOperationResourceId } from '#libs/contracts/ids.js';
import { clusterLockOf, dryRunOf, UPGRADE_UPDATES, type UpgradeAnswer, type UpgradeUpdate } from '#libs/contracts/upgrades.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { OperationDetail, OperationPage, OperationSummary, StartRequest } from '#libs/temporal/operations.js';
import type { ApiDependencies } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import type { Starter } from '../operations/starter.service.js';
import { StillRunning } from '../operations/still-running.js';
import type { RunListQuery, RunState } from './cluster-runs.schemas.js';
import { assertAdmin, type Clusters } from './clusters.service.js';

export interface ClusterRunKind {
  readonly kind: 'upgrade' | 'scale';
  /** As people call one. */
  readonly word: 'upgrade' | 'scaling';
  /** Of its workflow, answered with its view. */
  readonly query: string;
}

export interface RunLook<View> {
  readonly detail: Omit<OperationDetail, 'steps' | 'stepsUnavailable'>;
  readonly view?: View;
  /** Why there is none, e.g. because no worker answers. */
  readonly unavailable?: string;
}

/** What admins do with workflows that change a cluster by an approved plan: the same for upgrades and scalings. */
export abstract class ClusterRuns<Body, View extends { readonly phase: string }, Report extends View, State extends RunState> {
  protected constructor(
    protected readonly deps: ApiDependencies,
    protected readonly starter: Starter,
    protected readonly clusters: Clusters,
    private readonly of: ClusterRunKind,
  ) {}

  get word(): ClusterRunKind['word'] {
    return this.of.word;
  }

  protected abstract request(context: RequestContext, cluster: string, body: Body): StartRequest;
  /** For whoever may see it. */
  abstract state(id: string): Promise<State>;
  /** Of one that has not ended, or has left none. */
  protected abstract reportOf(view: View, summary: string): Report;

  /** What it would do. */
  async plan(context: RequestContext, cluster: string, body: Body): Promise<Report> {
    assertAdmin(context.caller);
    if (!(await this.starter.begun(context, this.of.kind, dryRunOf(cluster)))) await this.clusters.assertKnown(context, cluster);
    return await this.starter.run<Report>(context, this.request(context, cluster, body));
  }

  /** @throws PlatformError CONFLICT at once while another upgrade or scaling of the cluster is under way. */
  async begin(context: RequestContext, cluster: string, body: Body): Promise<OperationSummary> {
    assertAdmin(context.caller);
    if (!(await this.starter.begun(context, this.of.kind, clusterLockOf(cluster)))) {
      await this.clusters.assertKnown(context, cluster);
      await this.#assertFree(cluster);
    }
    return await this.starter.begin(context, this.request(context, cluster, body));
  }

  protected async page({ caller }: RequestContext, cluster: string, { limit, cursor }: RunListQuery): Promise<OperationPage> {
    assertAdmin(caller);
    const filter = { kind: this.of.kind, webspace: clusterLockOf(cluster), limit, ...(cursor === undefined ? {} : { cursor }) } as const;
    return await this.deps.operations.list(filter);
  }

  /** @throws PlatformError FORBIDDEN, NOT_FOUND, without asking a worker. */
  async assertOf(context: RequestContext, cluster: string, id: string): Promise<OperationSummary> {
    this.#assertNamed(context, cluster, id);
    return await this.deps.operations.peek(id);
  }

  async read(context: RequestContext, cluster: string, id: string): Promise<State> {
    this.#assertNamed(context, cluster, id);
    return await this.state(id);
  }

  protected async look(id: string): Promise<RunLook<View>> {
    const { steps: _steps, stepsUnavailable: _why, ...detail } = await this.deps.operations.get(id);
    try {
      return { detail, view: (await this.#ending(detail)) ?? (await this.deps.operations.query<View>(id, this.of.query)) };
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      return { detail, unavailable: messageOf(error) };
    }
  }

  /** Orders it something; whatever it refuses it with is thrown, and nothing has changed then. */
  async order(
    context: RequestContext,
    { cluster, id, update }: { readonly cluster: string; readonly id: string; readonly update: UpgradeUpdate },
    argument: object,
  ): Promise<UpgradeAnswer> {
    const { status } = await this.assertOf(context, cluster, id);
    context.noteOperation(id);
    if (status !== 'running') {
      throw new PlatformError('CONFLICT', `The ${this.of.word} has ended already: ${status}.`, { details: { operation: id } });
    }
    const { subject, username } = context.caller;
    const order = { update: UPGRADE_UPDATES[update], argument: { ...argument, by: { subject, username } }, timeoutMs: this.#waitMs };
    const outcome = await this.deps.operations.update<UpgradeAnswer>(id, order);
    if (outcome.status === 'running') throw new StillRunning(id);
    return outcome.result;
  }

  /** What it ended with; what there is so far while it runs. */
  async report(context: RequestContext, cluster: string, id: string): Promise<Report> {
    const summary = await this.assertOf(context, cluster, id);
    const ending = await this.#ending(summary);
    if (ending) return ending;
    const view = await this.deps.operations.query<View>(id, this.of.query);
    if (summary.status === 'running') return this.reportOf(view, `It has not ended yet: it is ${view.phase}.`);
    const { error } = await this.deps.operations.get(id);
    return this.reportOf(view, `It ended without a report. ${error?.message ?? ''}`.trim());
  }

  /** The report that it left at its end, also when it failed. */
  async #ending({ id, status }: OperationSummary): Promise<Report | undefined> {
    if (status === 'running') return undefined;
    try {
      const outcome = await this.deps.operations.result<Report>({ id, workflowId: id }, { timeoutMs: this.#waitMs });
      return outcome.status === 'completed' ? outcome.result : undefined;
    } catch (error) {
      if (!isPlatformError(error) || error.code === 'UNAVAILABLE') throw error;
      return error.details['report'] as Report | undefined;
    }
  }

  async #assertFree(cluster: string): Promise<void> {
    const other = await this.clusters.runningOn(cluster);
    if (!other) return;
    const whose = other.requestedBy ? ` that ${other.requestedBy.username} asked for` : '';
    const word = other.kind === 'scale' ? 'scaling' : 'upgrade';
    throw new PlatformError('CONFLICT', `The ${word} ${other.id}${whose} works on ${cluster}: let it end, or abort it. One at a time.`, {
      details: { operation: other.id },
    });
  }

  #assertNamed({ caller }: RequestContext, cluster: string, id: string): void {
    assertAdmin(caller);
    const ref = parseOperationResourceId(id);
    if (ref?.kind === this.of.kind && [clusterLockOf(cluster), dryRunOf(cluster)].includes(ref.name)) return;
    throw new PlatformError('NOT_FOUND', `There is no ${this.of.word} "${id}" of ${cluster}.`);
  }

  get #waitMs(): number {
    return this.deps.config.limits.waitSeconds * 1000;
  }
}
