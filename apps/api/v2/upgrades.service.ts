import { Inject, Injectable } from '@nestjs/common';
import { parseOperationResourceId } from '#libs/contracts/ids.js';
import {
  clusterLockOf,
  dryRunOf,
  UPGRADE_QUERY,
  UPGRADE_UPDATES,
  type UpgradeAnswer,
  type UpgradeInput,
  type UpgradeReport,
  type UpgradeUpdate,
  type UpgradeView,
} from '#libs/contracts/upgrades.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { OperationPage, OperationSummary, StartRequest } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import { StillRunning } from '../operations/still-running.js';
import { assertAdmin, Clusters } from './clusters.service.js';
import type { UpgradeBody, UpgradeListQuery, UpgradeState } from './upgrades.schemas.js';

/** Upgrades of clusters of LXD members: for admins. */
@Injectable()
export class Upgrades {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Starter) private readonly starter: Starter,
    @Inject(Clusters) private readonly clusters: Clusters,
  ) {}

  /** What an upgrade would do. */
  async plan(context: RequestContext, cluster: string, body: UpgradeBody): Promise<UpgradeReport> {
    assertAdmin(context.caller);
    if (!(await this.starter.begun(context, 'upgrade', dryRunOf(cluster)))) await this.clusters.assertKnown(context, cluster);
    return await this.starter.run<UpgradeReport>(context, this.#request(context, cluster, body));
  }

  /** @throws PlatformError CONFLICT at once while another upgrade of the cluster is under way. */
  async begin(context: RequestContext, cluster: string, body: UpgradeBody): Promise<OperationSummary> {
    assertAdmin(context.caller);
    if (!(await this.starter.begun(context, 'upgrade', clusterLockOf(cluster)))) {
      await this.clusters.assertKnown(context, cluster);
      await this.#assertFree(cluster);
    }
    return await this.starter.begin(context, this.#request(context, cluster, body));
  }

  async list({ caller }: RequestContext, cluster: string, { limit, cursor }: UpgradeListQuery) {
    assertAdmin(caller);
    const filter = { kind: 'upgrade', webspace: clusterLockOf(cluster), limit, ...(cursor === undefined ? {} : { cursor }) } as const;
    const { operations, ...page }: OperationPage = await this.deps.operations.list(filter);
    return { upgrades: operations, ...page };
  }

  async read(context: RequestContext, cluster: string, id: string): Promise<UpgradeState> {
    this.#assertNamed(context, cluster, id);
    return await this.state(id);
  }

  /** @throws PlatformError FORBIDDEN, NOT_FOUND, without asking a worker. */
  async assertOf(context: RequestContext, cluster: string, id: string): Promise<OperationSummary> {
    this.#assertNamed(context, cluster, id);
    return await this.deps.operations.peek(id);
  }

  async state(id: string): Promise<UpgradeState> {
    const { steps: _steps, stepsUnavailable: _why, ...detail } = await this.deps.operations.get(id);
    try {
      const upgrade = (await this.#ending(detail)) ?? (await this.deps.operations.query<UpgradeView>(id, UPGRADE_QUERY));
      return { ...detail, upgrade };
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      return { ...detail, upgradeUnavailable: messageOf(error) };
    }
  }

  /** Orders the upgrade something; whatever it refuses it with is thrown, and nothing has changed then. */
  async order(
    context: RequestContext,
    { cluster, id, update }: { readonly cluster: string; readonly id: string; readonly update: UpgradeUpdate },
    argument: object,
  ): Promise<UpgradeAnswer> {
    const { status } = await this.assertOf(context, cluster, id);
    context.noteOperation(id);
    if (status !== 'running') {
      throw new PlatformError('CONFLICT', `The upgrade has ended already: ${status}.`, { details: { operation: id } });
    }
    const { subject, username } = context.caller;
    const order = { update: UPGRADE_UPDATES[update], argument: { ...argument, by: { subject, username } }, timeoutMs: this.#waitMs };
    const outcome = await this.deps.operations.update<UpgradeAnswer>(id, order);
    if (outcome.status === 'running') throw new StillRunning(id);
    return outcome.result;
  }

  /** What it ended with; what there is so far while it runs. */
  async report(context: RequestContext, cluster: string, id: string): Promise<UpgradeReport> {
    const summary = await this.assertOf(context, cluster, id);
    const ending = await this.#ending(summary);
    if (ending) return ending;
    const view = await this.deps.operations.query<UpgradeView>(id, UPGRADE_QUERY);
    if (summary.status === 'running') return { ...view, members: [], summary: `It has not ended yet: it is ${view.phase}.` };
    const { error } = await this.deps.operations.get(id);
    return { ...view, members: [], summary: `It ended without a report. ${error?.message ?? ''}`.trim() };
  }

  /** The report that an ended upgrade left, also one that failed. */
  async #ending({ id, status }: OperationSummary): Promise<UpgradeReport | undefined> {
    if (status === 'running') return undefined;
    try {
      const outcome = await this.deps.operations.result<UpgradeReport>({ id, workflowId: id }, { timeoutMs: this.#waitMs });
      return outcome.status === 'completed' ? outcome.result : undefined;
    } catch (error) {
      if (!isPlatformError(error) || error.code === 'UNAVAILABLE') throw error;
      return error.details['report'] as UpgradeReport | undefined;
    }
  }

  async #assertFree(cluster: string): Promise<void> {
    const other = await this.clusters.runningUpgrade(cluster);
    if (!other) return;
    const whose = other.requestedBy ? ` that ${other.requestedBy.username} asked for` : '';
    throw new PlatformError('CONFLICT', `The upgrade ${other.id}${whose} works on ${cluster}: let it end, or abort it. One at a time.`, {
      details: { operation: other.id },
    });
  }

  #assertNamed({ caller }: RequestContext, cluster: string, id: string): void {
    assertAdmin(caller);
    const ref = parseOperationResourceId(id);
    if (ref?.kind === 'upgrade' && [clusterLockOf(cluster), dryRunOf(cluster)].includes(ref.name)) return;
    throw new PlatformError('NOT_FOUND', `There is no upgrade "${id}" of ${cluster}.`);
  }

  #request(context: RequestContext, cluster: string, body: UpgradeBody): StartRequest {
    const { image, environment, instances, dryRun } = body;
    const name = dryRun ? dryRunOf(cluster) : clusterLockOf(cluster);
    // Of no account: none but admins may see it.
    const wish = { kind: 'upgrade', name, owner: name, ownerName: image, body } as const;
    const request = this.starter.requestFor(
      context,
      wish,
      (common): UpgradeInput => ({
        ...common,
        cluster,
        image,
        ...(environment ? { environment } : {}),
        ...(instances ? { instances } : {}),
        ...(dryRun ? { dryRun } : {}),
      }),
    );
    const what = dryRun ? 'plan an upgrade of' : 'upgrade';
    return { ...request, summary: `${what} ${cluster} to ${image}, asked by ${context.caller.username}` };
  }

  get #waitMs(): number {
    return this.deps.config.limits.waitSeconds * 1000;
  }
}
