import { Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { ChangeWebspace } from './change-webspace.service.js';
import { ReadWebspace } from './read-webspace.service.js';
import { domainParams, domainsSchema } from './schemas.js';
import { USER_PARAM } from './webspace.controller.js';

@ApiTags('v1')
@NeedsToken()
@ApiParam(USER_PARAM)
@Problems(404, 502)
@Controller('v1/webspace/:user/domains')
export class DomainsController {
  constructor(
    @Inject(ReadWebspace) private readonly reads: ReadWebspace,
    @Inject(ChangeWebspace) private readonly changes: ChangeWebspace,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'The default domain, then the custom ones', standardSchema: domainsSchema })
  read(@Context() context: RequestContext): Promise<string[]> {
    return this.reads.domains(context.account);
  }

  @Post(':domain')
  @HttpCode(204)
  @Repeatable()
  @ApiResponse({ status: 204, description: 'Proved by its TXT record and published' })
  @Problems(400, 409, 504)
  add(@Context() context: RequestContext, @Param({ schema: domainParams }) { domain }: z.output<typeof domainParams>): Promise<void> {
    return this.changes.addDomain(context, domain);
  }

  @Delete(':domain')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'No longer published, and anybody may prove it' })
  @Problems(400, 409, 504)
  remove(@Context() context: RequestContext, @Param({ schema: domainParams }) { domain }: z.output<typeof domainParams>): Promise<void> {
    return this.changes.removeDomain(context, domain);
  }
}
