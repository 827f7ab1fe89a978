import { Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { ChangeWebspace } from './change-webspace.service.js';
import { ReadWebspace } from './read-webspace.service.js';
import { bothPortsParams, portParams, portsSchema, randomPortSchema } from './schemas.js';
import { USER_PARAM } from './webspace.controller.js';

@ApiTags('v1')
@NeedsToken()
@ApiParam(USER_PARAM)
@Problems(404, 502)
@Controller('v1/webspace/:user/ports')
export class PortsController {
  constructor(
    @Inject(ReadWebspace) private readonly reads: ReadWebspace,
    @Inject(ChangeWebspace) private readonly changes: ChangeWebspace,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'Forwarded TCP ports', standardSchema: portsSchema })
  async read(@Context() context: RequestContext): Promise<Record<string, number>> {
    return (await this.reads.webspace(context.account)).ports;
  }

  @Post(':port')
  @Repeatable()
  @ApiResponse({ status: 201, description: 'Any free external port leads to it', standardSchema: randomPortSchema })
  @Problems(400, 409, 504)
  async addAny(
    @Context() context: RequestContext,
    @Param({ schema: portParams }) { port }: z.output<typeof portParams>,
  ): Promise<{ ePort: number }> {
    return { ePort: await this.changes.addPort(context, port) };
  }

  @Post(':ePort/:iPort')
  @Repeatable()
  @ApiResponse({ status: 201, description: 'The external port leads to it' })
  @Problems(400, 409, 504)
  async add(
    @Context() context: RequestContext,
    @Param({ schema: bothPortsParams }) { ePort, iPort }: z.output<typeof bothPortsParams>,
  ): Promise<void> {
    await this.changes.addPort(context, iPort, ePort);
  }

  @Delete(':port')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'No longer forwarded' })
  @Problems(400, 409, 504)
  remove(@Context() context: RequestContext, @Param({ schema: portParams }) { port }: z.output<typeof portParams>): Promise<void> {
    return this.changes.removePort(context, port);
  }
}
