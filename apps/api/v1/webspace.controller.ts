import { Body, Controller, Delete, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { ChangeWebspace } from './change-webspace.service.js';
import { ReadWebspace } from './read-webspace.service.js';
import { type CreateWebspaceBody, createWebspaceBody, type Webspace, webspaceSchema } from './schemas.js';

export const USER_PARAM = {
  name: 'user',
  description: '`self`, a user name, or `id:<account id>` (admins)',
  schema: { type: 'string' },
} as const;

@ApiTags('v1')
@NeedsToken()
@ApiParam(USER_PARAM)
@Controller('v1/webspace/:user')
export class WebspaceController {
  constructor(
    @Inject(ReadWebspace) private readonly reads: ReadWebspace,
    @Inject(ChangeWebspace) private readonly changes: ChangeWebspace,
  ) {}

  @Post()
  @Repeatable()
  @ApiResponse({ status: 201, description: 'Made', standardSchema: webspaceSchema })
  @Problems(400, 404, 409, 502, 504)
  create(@Context() context: RequestContext, @Body({ schema: createWebspaceBody }) body: CreateWebspaceBody): Promise<Webspace> {
    return this.changes.create(context, body);
  }

  @Get()
  @ApiResponse({ status: 200, description: 'The webspace', standardSchema: webspaceSchema })
  @Problems(404, 502)
  read(@Context() context: RequestContext): Promise<Webspace> {
    return this.reads.webspace(context.account);
  }

  @Delete()
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Gone, with everything that belonged to it' })
  @Problems(404, 409, 502, 504)
  delete(@Context() context: RequestContext): Promise<void> {
    return this.changes.delete(context);
  }
}
