import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { UpgradeAnswer, UpgradeReport } from '#libs/contracts/upgrades.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { EventStreams } from './event-streams.service.js';
import { operationSummarySchema } from './schemas.js';
import { reportPage } from './upgrade-report.page.js';
import { upgradeAnswerSchema, upgradePageSchema, upgradeReportSchema, upgradeStateSchema } from './upgrades.answers.js';
import {
  type ApproveBody,
  approveBody,
  type ClusterParams,
  clusterParams,
  type OrderBody,
  orderBody,
  type SkipBody,
  skipBody,
  type UpgradeBody,
  type UpgradeListQuery,
  type UpgradeParams,
  type UpgradeState,
  upgradeBody,
  upgradeListQuery,
  upgradeParams,
} from './upgrades.schemas.js';
import { Upgrades } from './upgrades.service.js';

@ApiTags('v2 clusters')
@NeedsToken()
@Controller('v2/clusters/:name/upgrades')
export class UpgradesController {
  constructor(
    @Inject(Upgrades) private readonly upgrades: Upgrades,
    @Inject(EventStreams) private readonly streams: EventStreams,
  ) {}

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
    reply.code(body.dryRun ? 200 : 202);
    if (body.dryRun) return await this.upgrades.plan(context, name, body);
    const begun = await this.upgrades.begin(context, name, body);
    reply.header('location', `/v2/clusters/${name}/upgrades/${begun.id}`);
    return begun;
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
    @Query({ schema: upgradeListQuery }) query: UpgradeListQuery,
  ): ReturnType<Upgrades['list']> {
    return this.upgrades.list(context, name, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'Plans, steps, gates, and what is waited for (admins)', standardSchema: upgradeStateSchema })
  @Problems(400, 404)
  read(@Context() context: RequestContext, @Param({ schema: upgradeParams }) { name, id }: UpgradeParams): Promise<UpgradeState> {
    return this.upgrades.read(context, name, id);
  }

  @Get(':id/events')
  @ApiProduces('text/event-stream')
  @ApiResponse({ status: 200, description: 'Events named `upgrade`, the present state first; ends when the upgrade has ended (admins)' })
  @Problems(400, 404)
  events(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.streams.streamUpgrade(context, name, id, reply);
  }

  @Get(':id/report')
  @ApiProduces('application/json', 'text/html')
  @ApiResponse({ status: 200, description: 'What happened, for programs or as a page (admins)', standardSchema: upgradeReportSchema })
  @Problems(400, 404)
  async report(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UpgradeReport | string> {
    const report = await this.upgrades.report(context, name, id);
    if (!/\btext\/html\b/.test(reply.request.headers.accept ?? '')) return report;
    reply.header('content-type', 'text/html; charset=utf-8');
    return reportPage(report, id);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'Approved: that plan begins (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  approve(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Body({ schema: approveBody }) body: ApproveBody,
  ): Promise<UpgradeAnswer> {
    return this.upgrades.order(context, { cluster: name, id, update: 'approve' }, body);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @ApiResponse({
    status: 200,
    description: 'Ordered: it stands still before the next step that allows it (admins)',
    standardSchema: upgradeAnswerSchema,
  })
  @Problems(400, 404, 409, 504)
  pause(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.upgrades.order(context, { cluster: name, id, update: 'pause' }, body);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'It goes on (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  resume(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.upgrades.order(context, { cluster: name, id, update: 'resume' }, body);
  }

  @Post(':id/retry')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The step that failed is tried again (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  retry(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.upgrades.order(context, { cluster: name, id, update: 'retry' }, body);
  }

  @Post(':id/skip')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The gate is skipped (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  skip(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Body({ schema: skipBody }) body: SkipBody,
  ): Promise<UpgradeAnswer> {
    return this.upgrades.order(context, { cluster: name, id, update: 'skip' }, body);
  }

  @Post(':id/abort')
  @HttpCode(200)
  @ApiResponse({
    status: 200,
    description: 'The way back begins, or it ends when nothing was changed (admins)',
    standardSchema: upgradeAnswerSchema,
  })
  @Problems(400, 404, 409, 504)
  abort(
    @Context() context: RequestContext,
    @Param({ schema: upgradeParams }) { name, id }: UpgradeParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.upgrades.order(context, { cluster: name, id, update: 'abort' }, body);
  }
}
