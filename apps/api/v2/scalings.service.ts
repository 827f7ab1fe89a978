import { Inject, Injectable } from '@nestjs/common';
import { SCALE_QUERY, type ScaleInput, type ScaleReport, type ScaleView } from '#libs/contracts/scalings.js';
import { clusterLockOf, dryRunOf } from '#libs/contracts/upgrades.js';
import type { StartRequest } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import type { RunListQuery } from './cluster-runs.schemas.js';
import { ClusterRuns } from './cluster-runs.service.js';
import { Clusters } from './clusters.service.js';
import type { ScaleBody, ScaleState } from './scalings.schemas.js';

/** Scalings of clusters of LXD members: for admins. */
@Injectable()
export class Scalings extends ClusterRuns<ScaleBody, ScaleView, ScaleReport, ScaleState> {
  constructor(@Inject(DEPENDENCIES) deps: ApiDependencies, @Inject(Starter) starter: Starter, @Inject(Clusters) clusters: Clusters) {
    super(deps, starter, clusters, { kind: 'scale', word: 'scaling', query: SCALE_QUERY });
  }

  async list(context: RequestContext, cluster: string, query: RunListQuery) {
    const { operations, ...page } = await this.page(context, cluster, query);
    return { scalings: operations, ...page };
  }

  override async state(id: string): Promise<ScaleState> {
    const { detail, view, unavailable } = await this.look(id);
    return {
      ...detail,
      ...(view ? { scaling: view } : {}),
      ...(unavailable === undefined ? {} : { scalingUnavailable: unavailable }),
    };
  }

  protected override reportOf(view: ScaleView, summary: string): ScaleReport {
    return { ...view, summary };
  }

  protected override request(context: RequestContext, cluster: string, body: ScaleBody): StartRequest {
    const { replicas, volumes, lost, dryRun } = body;
    const name = dryRun ? dryRunOf(cluster) : clusterLockOf(cluster);
    const members = replicas === 1 ? '1 member' : `${replicas} members`;
    // Of no account: none but admins may see it.
    const wish = { kind: 'scale', name, owner: name, ownerName: members, body } as const;
    const request = this.starter.requestFor(
      context,
      wish,
      (common): ScaleInput => ({ ...common, cluster, replicas, volumes, lost, ...(dryRun ? { dryRun } : {}) }),
    );
    const what = dryRun ? 'plan a scaling of' : 'scale';
    return { ...request, summary: `${what} ${cluster} to ${members}, asked by ${context.caller.username}` };
  }
}
