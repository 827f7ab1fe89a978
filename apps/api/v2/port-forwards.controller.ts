import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems } from '../http/openapi.js';
import { type PortForwardListQuery, type PortForwardPage, portForwardListQuery, portForwardPageSchema } from './schemas.js';
import { Webspaces } from './webspaces.service.js';

@ApiTags('v2 port forwards')
@NeedsToken()
@Controller('v2/port-forwards')
export class PortForwardsController {
  constructor(@Inject(Webspaces) private readonly webspaces: Webspaces) {}

  @Get()
  @Problems(400)
  @ApiResponse({
    status: 200,
    description: 'All forwarded ports of all webspaces (admins), by port',
    standardSchema: portForwardPageSchema,
  })
  list(@Context() context: RequestContext, @Query({ schema: portForwardListQuery }) query: PortForwardListQuery): Promise<PortForwardPage> {
    return this.webspaces.portForwards(context, query);
  }
}
