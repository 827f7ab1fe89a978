import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { ScaleReport } from '#libs/contracts/scalings.js';
import type { UpgradeAnswer } from '#libs/contracts/upgrades.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import {
  type ScaleBody,
  type ScaleState,
  type ScalingParams,
  type SkipScaleBody,
  scaleBody,
  scalePageSchema,
  scaleReportSchema,
  scaleStateSchema,
  scalingParams,
  skipScaleBody,
} from './scalings.schemas.js';
import { Scalings } from './scalings.service.js';
import { operationSummarySchema } from './schemas.js';
import { upgradeAnswerSchema } from './upgrades.answers.js';
import {
  type ApproveBody,
  approveBody,
  type ClusterParams,
  clusterParams,
  type OrderBody,
  orderBody,
  type UpgradeListQuery,
  upgradeListQuery,
} from './upgrades.schemas.js';

@ApiTags('v2 clusters')
@NeedsToken()
@Controller('v2/clusters/:name/scalings')
export class ScalingsController {
  constructor(@Inject(Scalings) private readonly scalings: Scalings) {}

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
    reply.code(body.dryRun ? 200 : 202);
    if (body.dryRun) return await this.scalings.plan(context, name, body);
    const begun = await this.scalings.begin(context, name, body);
    reply.header('location', `/v2/clusters/${name}/scalings/${begun.id}`);
    return begun;
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
    @Query({ schema: upgradeListQuery }) query: UpgradeListQuery,
  ): ReturnType<Scalings['list']> {
    return this.scalings.list(context, name, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'Plan, steps, gates, and what is waited for (admins)', standardSchema: scaleStateSchema })
  @Problems(400, 404)
  read(@Context() context: RequestContext, @Param({ schema: scalingParams }) { name, id }: ScalingParams): Promise<ScaleState> {
    return this.scalings.read(context, name, id);
  }

  @Get(':id/report')
  @ApiResponse({ status: 200, description: 'What happened (admins)', standardSchema: scaleReportSchema })
  @Problems(400, 404)
  report(@Context() context: RequestContext, @Param({ schema: scalingParams }) { name, id }: ScalingParams): Promise<ScaleReport> {
    return this.scalings.report(context, name, id);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'Approved: that plan begins (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  approve(
    @Context() context: RequestContext,
    @Param({ schema: scalingParams }) { name, id }: ScalingParams,
    @Body({ schema: approveBody }) body: ApproveBody,
  ): Promise<UpgradeAnswer> {
    return this.scalings.order(context, { cluster: name, id, update: 'approve' }, body);
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
    @Param({ schema: scalingParams }) { name, id }: ScalingParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.scalings.order(context, { cluster: name, id, update: 'pause' }, body);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'It goes on (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  resume(
    @Context() context: RequestContext,
    @Param({ schema: scalingParams }) { name, id }: ScalingParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.scalings.order(context, { cluster: name, id, update: 'resume' }, body);
  }

  @Post(':id/retry')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The step that failed is tried again (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  retry(
    @Context() context: RequestContext,
    @Param({ schema: scalingParams }) { name, id }: ScalingParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.scalings.order(context, { cluster: name, id, update: 'retry' }, body);
  }

  @Post(':id/skip')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The gate is skipped (admins)', standardSchema: upgradeAnswerSchema })
  @Problems(400, 404, 409, 504)
  skip(
    @Context() context: RequestContext,
    @Param({ schema: scalingParams }) { name, id }: ScalingParams,
    @Body({ schema: skipScaleBody }) body: SkipScaleBody,
  ): Promise<UpgradeAnswer> {
    return this.scalings.order(context, { cluster: name, id, update: 'skip' }, body);
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
    @Param({ schema: scalingParams }) { name, id }: ScalingParams,
    @Body({ schema: orderBody }) body: OrderBody,
  ): Promise<UpgradeAnswer> {
    return this.scalings.order(context, { cluster: name, id, update: 'abort' }, body);
  }
}
