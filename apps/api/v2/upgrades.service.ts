import { Inject, Injectable } from '@nestjs/common';
import {
  clusterLockOf,
  dryRunOf,
  UPGRADE_QUERY,
  type UpgradeInput,
  type UpgradeReport,
  type UpgradeView,
} from '#libs/contracts/upgrades.js';
import type { StartRequest } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import type { RunListQuery } from './cluster-runs.schemas.js';
import { ClusterRuns } from './cluster-runs.service.js';
import { Clusters } from './clusters.service.js';
import type { UpgradeBody, UpgradeState } from './upgrades.schemas.js';

/** Upgrades of clusters of LXD members: for admins. */
@Injectable()
export class Upgrades extends ClusterRuns<UpgradeBody, UpgradeView, UpgradeReport, UpgradeState> {
  constructor(@Inject(DEPENDENCIES) deps: ApiDependencies, @Inject(Starter) starter: Starter, @Inject(Clusters) clusters: Clusters) {
    super(deps, starter, clusters, { kind: 'upgrade', word: 'upgrade', query: UPGRADE_QUERY });
  }

  async list(context: RequestContext, cluster: string, query: RunListQuery) {
    const { operations, ...page } = await this.page(context, cluster, query);
    return { upgrades: operations, ...page };
  }

  override async state(id: string): Promise<UpgradeState> {
    const { detail, view, unavailable } = await this.look(id);
    return {
      ...detail,
      ...(view ? { upgrade: view } : {}),
      ...(unavailable === undefined ? {} : { upgradeUnavailable: unavailable }),
    };
  }

  protected override reportOf(view: UpgradeView, summary: string): UpgradeReport {
    return { ...view, members: [], summary };
  }

  protected override request(context: RequestContext, cluster: string, body: UpgradeBody): StartRequest {
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
}
