import { Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { ApprovalAnswer } from '#libs/contracts/images.js';
import type { OperationDetail, OperationPage, OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems } from '../http/openapi.js';
import { EventStreams } from './event-streams.service.js';
import { approvalSchema } from './images.schemas.js';
import { OperationsOfCaller } from './operations.service.js';
import {
  type OperationListQuery,
  type OperationParams,
  operationListQuery,
  operationPageSchema,
  operationParams,
  operationSchema,
  operationSummarySchema,
} from './schemas.js';

@ApiTags('v2 operations')
@NeedsToken()
@Problems(400)
@Controller('v2/operations')
export class OperationsController {
  constructor(
    @Inject(OperationsOfCaller) private readonly operations: OperationsOfCaller,
    @Inject(EventStreams) private readonly streams: EventStreams,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'Operations, running ones first, newest first', standardSchema: operationPageSchema })
  list(@Context() context: RequestContext, @Query({ schema: operationListQuery }) query: OperationListQuery): Promise<OperationPage> {
    return this.operations.list(context, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'One operation with its steps and waits', standardSchema: operationSchema })
  @Problems(404)
  read(@Context() context: RequestContext, @Param({ schema: operationParams }) { id }: OperationParams): Promise<OperationDetail> {
    return this.operations.read(context, id);
  }

  @Get(':id/events')
  @ApiProduces('text/event-stream')
  @ApiResponse({ status: 200, description: 'Events named `operation`, the present state first; ends when the operation has ended' })
  @Problems(404)
  events(
    @Context() context: RequestContext,
    @Param({ schema: operationParams }) { id }: OperationParams,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.streams.stream(context, id, reply);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'It begins now; who approved first is kept (admins)', standardSchema: approvalSchema })
  @Problems(404, 409)
  approve(@Context() context: RequestContext, @Param({ schema: operationParams }) { id }: OperationParams): Promise<ApprovalAnswer> {
    return this.operations.approve(context, id);
  }

  @Post(':id/cancel')
  @HttpCode(202)
  @ApiResponse({ status: 202, description: 'Asked to stop and undo', standardSchema: operationSummarySchema })
  @Problems(404, 409)
  cancel(@Context() context: RequestContext, @Param({ schema: operationParams }) { id }: OperationParams): Promise<OperationSummary> {
    return this.operations.cancel(context, id);
  }
}
