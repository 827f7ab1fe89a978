import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiParam, ApiProduces, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { TakesTicket } from '../http/auth.guard.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems } from '../http/openapi.js';
import { Commands } from '../streams/commands.service.js';
import { ConsoleStreams } from '../streams/console.service.js';
import { ConsoleLogs } from '../streams/console-logs.service.js';
import { ExecStreams } from '../streams/exec.service.js';
import { type ShellCommandBody, type ShellResult, shellCommandBody, shellResultSchema } from '../streams/schemas.js';
import { USER_PARAM } from './webspace.controller.js';

const TICKET = {
  name: 'ticket',
  required: false,
  description: 'In place of a token, for browsers: POST /v2/webspaces/{name}/tickets',
  schema: { type: 'string' },
} as const;

@ApiTags('v1')
@NeedsToken()
@ApiParam(USER_PARAM)
@Problems(400, 404, 502)
@Controller('v1/webspace/:user')
export class StreamsController {
  constructor(
    @Inject(ConsoleStreams) private readonly console: ConsoleStreams,
    @Inject(ExecStreams) private readonly exec: ExecStreams,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(ConsoleLogs) private readonly logs: ConsoleLogs,
  ) {}

  @Get('console')
  @TakesTicket('console')
  @ApiQuery(TICKET)
  @ApiResponse({
    status: 101,
    description:
      'WebSocket. The client first sends the text message `{"width":80,"height":24}`, and again at each change; binary messages are what the console shows, and input. ' +
      'Ends with close code 1000; 1011 with the error',
  })
  attach(@Context() context: RequestContext, @Res() reply: FastifyReply): Promise<void> {
    return this.console.open(context, reply);
  }

  @Get('exec')
  @TakesTicket('exec')
  @ApiQuery(TICKET)
  @ApiResponse({
    status: 101,
    description:
      'WebSocket. The client first sends the text message `{"command":["sh"],"user":0,"group":0,"environment":{},"width":80,"height":24,"workingDirectory":""}`, then ' +
      '`{"resize":{"width":80,"height":24},"signal":0}` as needed; binary messages are what the terminal shows, and input. Ends with close code 1000 and the exit code as its ' +
      'reason; 1011 with the error',
  })
  open(@Context() context: RequestContext, @Res() reply: FastifyReply): Promise<void> {
    return this.exec.open(context, reply);
  }

  @Post('exec')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'It has ended, well or not', standardSchema: shellResultSchema })
  @Problems(409, 504)
  run(
    @Context() context: RequestContext,
    @Body({ schema: shellCommandBody }) body: ShellCommandBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ShellResult> {
    return this.commands.shell(context, body, reply);
  }

  @Get('log')
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: 'What was written to the console, as far as LXD keeps it', schema: { type: 'string' } })
  log(@Context() context: RequestContext, @Res() reply: FastifyReply): Promise<void> {
    return this.logs.sendOfAccount(context, reply);
  }

  @Delete('log')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Empty now' })
  clearLog(@Context() context: RequestContext): Promise<void> {
    return this.logs.clearOfAccount(context);
  }
}
