import { Controller, Delete, Get, HttpCode, Inject, Patch, Post, Put } from '@nestjs/common';
import { ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { ChangeWebspace } from './change-webspace.service.js';
import { ReadWebspace } from './read-webspace.service.js';
import { type State, stateSchema } from './schemas.js';
import { USER_PARAM } from './webspace.controller.js';

@ApiTags('v1')
@NeedsToken()
@ApiParam(USER_PARAM)
@Problems(404, 502)
@Controller('v1/webspace/:user/state')
export class StateController {
  constructor(
    @Inject(ReadWebspace) private readonly reads: ReadWebspace,
    @Inject(ChangeWebspace) private readonly changes: ChangeWebspace,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'State, usage and addresses', standardSchema: stateSchema })
  read(@Context() context: RequestContext): Promise<State> {
    return this.reads.state(context.account);
  }

  @Post()
  @HttpCode(204)
  @Repeatable()
  @ApiResponse({ status: 204, description: 'Boots: the container has started, its port may not answer yet' })
  @Problems(409, 504)
  boot(@Context() context: RequestContext): Promise<void> {
    return this.changes.boot(context);
  }

  @Put()
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Rebooted' })
  @Problems(409, 504)
  reboot(@Context() context: RequestContext): Promise<void> {
    return this.changes.reboot(context);
  }

  @Delete()
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Shut down' })
  @Problems(409, 504)
  shutdown(@Context() context: RequestContext): Promise<void> {
    return this.changes.shutdown(context);
  }

  @Patch()
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Routes and claims made again from the record' })
  @Problems(409, 504)
  sync(@Context() context: RequestContext): Promise<void> {
    return this.changes.sync(context);
  }
}
