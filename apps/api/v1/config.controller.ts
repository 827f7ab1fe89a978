import { Body, Controller, Get, Inject, Patch } from '@nestjs/common';
import { ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems } from '../http/openapi.js';
import { ChangeWebspace } from './change-webspace.service.js';
import { ReadWebspace } from './read-webspace.service.js';
import { type ChangeConfigBody, type Config, changeConfigBody, configSchema } from './schemas.js';
import { USER_PARAM } from './webspace.controller.js';

@ApiTags('v1')
@NeedsToken()
@ApiParam(USER_PARAM)
@Problems(404, 502)
@Controller('v1/webspace/:user/config')
export class ConfigController {
  constructor(
    @Inject(ReadWebspace) private readonly reads: ReadWebspace,
    @Inject(ChangeWebspace) private readonly changes: ChangeWebspace,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'The configuration', standardSchema: configSchema })
  async read(@Context() context: RequestContext): Promise<Config> {
    return (await this.reads.webspace(context.account)).config;
  }

  @Patch()
  @ApiResponse({ status: 200, description: 'Changed and published; the answer is the configuration before', standardSchema: configSchema })
  @Problems(400, 409, 504)
  change(@Context() context: RequestContext, @Body({ schema: changeConfigBody }) body: ChangeConfigBody): Promise<Config> {
    return this.changes.config(context, body);
  }
}
