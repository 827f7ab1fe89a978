import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { ScaleReport, ScaleView } from '#libs/contracts/scalings.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { clusterRunsController } from './cluster-runs.controller.js';
import { type ClusterParams, clusterParams, type RunListQuery, type RunParams, runListQuery } from './cluster-runs.schemas.js';
import { EventStreams } from './event-streams.service.js';
import {
  type ScaleBody,
  type ScaleState,
  scaleBody,
  scalePageSchema,
  scaleReportSchema,
  scaleStateSchema,
  scalingParams,
  skipScaleBody,
} from './scalings.schemas.js';
import { Scalings } from './scalings.service.js';
import { operationSummarySchema } from './schemas.js';

const Base = clusterRunsController<ScaleBody, ScaleView, ScaleReport>({ path: 'scalings', params: scalingParams, skip: skipScaleBody });

@ApiTags('v2 clusters')
@NeedsToken()
@Controller('v2/clusters/:name/scalings')
export class ScalingsController extends Base {
  constructor(
    @Inject(Scalings) protected override readonly runs: Scalings,
    @Inject(EventStreams) protected override readonly streams: EventStreams,
  ) {
    super();
  }

  @Post()
  @Repeatable()
  @ApiResponse({ status: 200, description: 'Dry run: the plan, or why there is none (admins)', standardSchema: scaleReportSchema })
  @ApiResponse({ status: 202, description: 'Begun: it plans, and waits for an approval (admins)', standardSchema: operationSummarySchema })
  @Problems(400, 404, 409, 502, 504)
  async begin(
    @Context() context: RequestContext,
    @Param({ schema: clusterParams }) { name }: ClusterParams,
    @Body({ schema: scaleBody }) body: ScaleBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScaleReport | OperationSummary> {
    return await this.planOrBegin(context, name, body, reply);
  }

  @Get()
  @ApiResponse({
    status: 200,
    description: 'Scalings of the cluster, running ones first, newest first (admins)',
    standardSchema: scalePageSchema,
  })
  @Problems(400)
  list(
    @Context() context: RequestContext,
    @Param({ schema: clusterParams }) { name }: ClusterParams,
    @Query({ schema: runListQuery }) query: RunListQuery,
  ): ReturnType<Scalings['list']> {
    return this.runs.list(context, name, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'Plan, steps, gates, and what is waited for (admins)', standardSchema: scaleStateSchema })
  @Problems(400, 404)
  read(@Context() context: RequestContext, @Param({ schema: scalingParams }) { name, id }: RunParams): Promise<ScaleState> {
    return this.runs.read(context, name, id);
  }

  @Get(':id/report')
  @ApiResponse({ status: 200, description: 'What happened (admins)', standardSchema: scaleReportSchema })
  @Problems(400, 404)
  report(@Context() context: RequestContext, @Param({ schema: scalingParams }) { name, id }: RunParams): Promise<ScaleReport> {
    return this.runs.report(context, name, id);
  }
}
