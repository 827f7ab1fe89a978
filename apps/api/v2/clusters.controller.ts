import { Controller, Get, Inject, Param } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems } from '../http/openapi.js';
import { type ClusterParams, clusterParams } from './cluster-runs.schemas.js';
import { type ClusterList, type ClusterState, Clusters } from './clusters.service.js';
import { clusterListSchema, clusterSchema } from './upgrades.answers.js';

@ApiTags('v2 clusters')
@NeedsToken()
@Controller('v2/clusters')
export class ClustersController {
  constructor(@Inject(Clusters) private readonly clusters: Clusters) {}

  @Get()
  @ApiResponse({
    status: 200,
    description: 'Clusters that may be upgraded and scaled from here (admins)',
    standardSchema: clusterListSchema,
  })
  list(@Context() context: RequestContext): Promise<ClusterList> {
    return this.clusters.list(context);
  }

  @Get(':name')
  @ApiResponse({ status: 200, description: 'Members, pods, volumes and probes as they are now (admins)', standardSchema: clusterSchema })
  @Problems(400, 404, 502)
  read(@Context() context: RequestContext, @Param({ schema: clusterParams }) { name }: ClusterParams): Promise<ClusterState> {
    return this.clusters.read(context, name);
  }
}
