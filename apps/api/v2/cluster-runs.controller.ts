import { Body, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiProduces, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { UpgradeAnswer } from '#libs/contracts/upgrades.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { Problems } from '../http/openapi.js';
import { upgradeAnswerSchema } from './cluster-runs.answers.js';
import {
  type ApproveBody,
  approveBody,
  type OrderBody,
  orderBody,
  type RunParams,
  type RunState,
  type SkipBody,
} from './cluster-runs.schemas.js';
import type { ClusterRuns } from './cluster-runs.service.js';
import type { EventStreams } from './event-streams.service.js';

interface Alike {
  /** Last part of their path. */
  readonly path: 'upgrades' | 'scalings';
  readonly params: z.ZodType<RunParams>;
  readonly skip: z.ZodType<SkipBody>;
}

/** What controllers of upgrades and scalings extend: how one is begun, and the routes of the orders to it, after those of their own. */
export function clusterRunsController<
  Wish extends { readonly dryRun: boolean },
  View extends { readonly phase: string },
  Report extends View,
>({ path, params, skip }: Alike) {
  abstract class ClusterRunsController {
    protected abstract readonly runs: ClusterRuns<Wish, View, Report, RunState>;
    protected abstract readonly streams: EventStreams;

    protected async planOrBegin(
      context: RequestContext,
      cluster: string,
      body: Wish,
      reply: FastifyReply,
    ): Promise<Report | OperationSummary> {
      reply.code(body.dryRun ? 200 : 202);
      if (body.dryRun) return await this.runs.plan(context, cluster, body);
      const begun = await this.runs.begin(context, cluster, body);
      reply.header('location', `/v2/clusters/${cluster}/${path}/${begun.id}`);
      return begun;
    }

    @Get(':id/events')
    @ApiProduces('text/event-stream')
    @ApiResponse({
      status: 200,
      description: `Events named \`${path === 'upgrades' ? 'upgrade' : 'scaling'}\`, the present state first; ends when it has ended (admins)`,
    })
    @Problems(400, 404)
    async events(
      @Context() context: RequestContext,
      @Param({ schema: params }) { name, id }: RunParams,
      @Res() reply: FastifyReply,
    ): Promise<void> {
      await this.runs.assertOf(context, name, id);
      this.streams.streamRun(this.runs.word, id, reply);
    }

    @Post(':id/approve')
    @HttpCode(200)
    @ApiResponse({ status: 200, description: 'Approved: that plan begins (admins)', standardSchema: upgradeAnswerSchema })
    @Problems(400, 404, 409, 504)
    approve(
      @Context() context: RequestContext,
      @Param({ schema: params }) { name, id }: RunParams,
      @Body({ schema: approveBody }) body: ApproveBody,
    ): Promise<UpgradeAnswer> {
      return this.runs.order(context, { cluster: name, id, update: 'approve' }, body);
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
      @Param({ schema: params }) { name, id }: RunParams,
      @Body({ schema: orderBody }) body: OrderBody,
    ): Promise<UpgradeAnswer> {
      return this.runs.order(context, { cluster: name, id, update: 'pause' }, body);
    }

    @Post(':id/resume')
    @HttpCode(200)
    @ApiResponse({ status: 200, description: 'It goes on (admins)', standardSchema: upgradeAnswerSchema })
    @Problems(400, 404, 409, 504)
    resume(
      @Context() context: RequestContext,
      @Param({ schema: params }) { name, id }: RunParams,
      @Body({ schema: orderBody }) body: OrderBody,
    ): Promise<UpgradeAnswer> {
      return this.runs.order(context, { cluster: name, id, update: 'resume' }, body);
    }

    @Post(':id/retry')
    @HttpCode(200)
    @ApiResponse({ status: 200, description: 'The step that failed is tried again (admins)', standardSchema: upgradeAnswerSchema })
    @Problems(400, 404, 409, 504)
    retry(
      @Context() context: RequestContext,
      @Param({ schema: params }) { name, id }: RunParams,
      @Body({ schema: orderBody }) body: OrderBody,
    ): Promise<UpgradeAnswer> {
      return this.runs.order(context, { cluster: name, id, update: 'retry' }, body);
    }

    @Post(':id/skip')
    @HttpCode(200)
    @ApiResponse({ status: 200, description: 'The gate is skipped (admins)', standardSchema: upgradeAnswerSchema })
    @Problems(400, 404, 409, 504)
    skip(
      @Context() context: RequestContext,
      @Param({ schema: params }) { name, id }: RunParams,
      @Body({ schema: skip }) body: SkipBody,
    ): Promise<UpgradeAnswer> {
      return this.runs.order(context, { cluster: name, id, update: 'skip' }, body);
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
      @Param({ schema: params }) { name, id }: RunParams,
      @Body({ schema: orderBody }) body: OrderBody,
    ): Promise<UpgradeAnswer> {
      return this.runs.order(context, { cluster: name, id, update: 'abort' }, body);
    }
  }
  return ClusterRunsController;
}
