import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems } from '../http/openapi.js';
import { Commands } from '../streams/commands.service.js';
import { ConsoleLogs } from '../streams/console-logs.service.js';
import {
  type CommandBody,
  type CommandResult,
  commandBody,
  commandResultSchema,
  type Ticket,
  type TicketBody,
  ticketBody,
  ticketSchema,
} from '../streams/schemas.js';
import { Tickets } from '../streams/tickets.service.js';
import { type WebspaceParams, webspaceParams } from './schemas.js';

@ApiTags('v2 webspaces')
@NeedsToken()
@Problems(400, 404, 502)
@Controller('v2/webspaces/:name')
export class CommandsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Tickets) private readonly tickets: Tickets,
    @Inject(ConsoleLogs) private readonly logs: ConsoleLogs,
  ) {}

  @Post('exec')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'It has ended, well or not', standardSchema: commandResultSchema })
  @Problems(409, 504)
  run(
    @Context() context: RequestContext,
    @Param({ schema: webspaceParams }) { name }: WebspaceParams,
    @Body({ schema: commandBody }) body: CommandBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandResult> {
    return this.commands.run(context, name, body, reply);
  }

  @Post('tickets')
  @ApiResponse({ status: 201, description: 'Good for one WebSocket, for seconds', standardSchema: ticketSchema })
  issue(
    @Context() context: RequestContext,
    @Param({ schema: webspaceParams }) { name }: WebspaceParams,
    @Body({ schema: ticketBody }) { stream }: TicketBody,
  ): Promise<Ticket> {
    return this.tickets.issue(context, name, stream);
  }

  @Get('log')
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: 'What was written to the console, as far as LXD keeps it', schema: { type: 'string' } })
  log(
    @Context() context: RequestContext,
    @Param({ schema: webspaceParams }) { name }: WebspaceParams,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.logs.sendNamed(context, name, reply);
  }

  @Delete('log')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Empty now' })
  clear(@Context() context: RequestContext, @Param({ schema: webspaceParams }) { name }: WebspaceParams): Promise<void> {
    return this.logs.clearNamed(context, name);
  }

  @Get('log/events')
  @ApiProduces('text/event-stream')
  @ApiResponse({
    status: 200,
    description: 'Events named `log`, first of what there is, then of what is added: `{"text":"…"}`; `cleared` when it was emptied',
    schema: { type: 'string' },
  })
  follow(
    @Context() context: RequestContext,
    @Param({ schema: webspaceParams }) { name }: WebspaceParams,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.logs.follow(context, name, reply);
  }
}
