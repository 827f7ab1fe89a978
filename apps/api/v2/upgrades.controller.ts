import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { UpgradeReport, UpgradeView } from '#libs/contracts/upgrades.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { clusterRunsController } from './cluster-runs.controller.js';
import { type ClusterParams, clusterParams, type RunListQuery, type RunParams, runListQuery } from './cluster-runs.schemas.js';
import { EventStreams } from './event-streams.service.js';
import { operationSummarySchema } from './schemas.js';
import { reportPage } from './upgrade-report.page.js';
import { upgradePageSchema, upgradeReportSchema, upgradeStateSchema } from './upgrades.answers.js';
import { skipBody, type UpgradeBody, type UpgradeState, upgradeBody, upgradeParams } from './upgrades.schemas.js';
import { Upgrades } from './upgrades.service.js';

const Base = clusterRunsController<UpgradeBody, UpgradeView, UpgradeReport>({ path: 'upgrades', params: upgradeParams, skip: skipBody });

@ApiTags('v2 clusters')
@NeedsToken()
@Controller('v2/clusters/:name/upgrades')
export class UpgradesController extends Base {
  constructor(
    @Inject(Upgrades) protected override readonly runs: Upgrades,
    @Inject(EventStreams) protected override readonly streams: EventStreams,
  ) {
    super();
  }

  @Post()
  @Repeatable()
  @ApiResponse({ status: 200, description: 'Dry run: the plans, or why there is none (admins)', standardSchema: upgradeReportSchema })
  @ApiResponse({ status: 202, description: 'Begun: it plans, and waits for an approval (admins)', standardSchema: operationSummarySchema })
  @Problems(400, 404, 409, 502, 504)
  async begin(
    @Context() context: RequestContext,
    @Param({ schema: clusterParams }) { name }: ClusterParams,
    @Body({ schema: upgradeBody }) body: UpgradeBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UpgradeReport | OperationSummary> {
    return await this.planOrBegin(context, name, body, reply);
  }

  @Get()
  @ApiResponse({
    status: 200,
    description: 'Upgrades of the cluster, running ones first, newest first (admins)',
    standardSchema: upgradePageSchema,
  })
  @Problems(400)
  list(
    @Context() context: RequestContext,
    @Param({ schema: clusterParams }) { name }: ClusterParams,
    @Query({ schema: runListQuery }) query: RunListQuery,
  ): ReturnType<Upgrades['list']> {
    return this.runs.list(context, name, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'Plans, steps, gates, and what is waited for (admins)', standardSchema: upgradeStateSchema })
  @Problems(400, 404)
  read(@Context() context: RequestContext, @Param({ schema: upgradeParams }) { name, id }: RunParams): Promise<UpgradeState> {
    return this.runs.read(context, name, id);
  }

  @Get(':id/report')
  @ApiProduces('application/json', 'text/html')
  @ApiResponse({ status: 200, description: 'What happened, for programs or as a page (admins)', standardSchema: upgradeReportSchema })
  @Problems(400, 404)
  async report(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: RunParams,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UpgradeReport | string> {
    const report = await this.runs.report(context, name, id);
    if (!/\btext\/html\b/.test(reply.request.headers.accept ?? '')) return report;
    reply.header('content-type', 'text/html; charset=utf-8');
    return reportPage(report, id);
  }
}
