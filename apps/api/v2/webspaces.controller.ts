import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import {
  type ChangeWebspaceV2Body,
  type CreateWebspaceV2Body,
  changeWebspaceV2Body,
  createWebspaceV2Body,
  operationSummarySchema,
  type WebspaceListQuery,
  type WebspacePage,
  type WebspaceParams,
  type WebspaceView,
  webspaceListQuery,
  webspacePageSchema,
  webspaceParams,
  webspaceViewSchema,
} from './schemas.js';
import { Webspaces } from './webspaces.service.js';

const ACCEPTED = { status: 202, description: 'Begun: follow the operation', standardSchema: operationSummarySchema } as const;

@ApiTags('v2 webspaces')
@NeedsToken()
@Problems(400)
@Controller('v2/webspaces')
export class WebspacesController {
  constructor(@Inject(Webspaces) private readonly webspaces: Webspaces) {}

  @Get()
  @ApiResponse({ status: 200, description: 'All webspaces (admins) or the own one, by name', standardSchema: webspacePageSchema })
  list(@Context() context: RequestContext, @Query({ schema: webspaceListQuery }) query: WebspaceListQuery): Promise<WebspacePage> {
    return this.webspaces.list(context, query);
  }

  @Post()
  @HttpCode(202)
  @Repeatable()
  @ApiResponse(ACCEPTED)
  @Problems(404, 409)
  create(
    @Context() context: RequestContext,
    @Body({ schema: createWebspaceV2Body }) body: CreateWebspaceV2Body,
  ): Promise<OperationSummary> {
    return this.webspaces.create(context, body);
  }

  @Get(':name')
  @ApiResponse({ status: 200, description: 'One webspace', standardSchema: webspaceViewSchema })
  @Problems(404)
  read(@Context() context: RequestContext, @Param({ schema: webspaceParams }) { name }: WebspaceParams): Promise<WebspaceView> {
    return this.webspaces.read(context, name);
  }

  @Delete(':name')
  @HttpCode(202)
  @ApiResponse(ACCEPTED)
  @Problems(404, 409)
  delete(@Context() context: RequestContext, @Param({ schema: webspaceParams }) { name }: WebspaceParams): Promise<OperationSummary> {
    return this.webspaces.change(context, name, 'delete');
  }

  @Patch(':name')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse(ACCEPTED)
  @Problems(404, 409, 502)
  patch(
    @Context() context: RequestContext,
    @Param({ schema: webspaceParams }) { name }: WebspaceParams,
    @Body({ schema: changeWebspaceV2Body }) body: ChangeWebspaceV2Body,
  ): Promise<OperationSummary> {
    return this.webspaces.patch(context, name, body);
  }

  @Post(':name/boot')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse(ACCEPTED)
  @Problems(404, 409)
  boot(@Context() context: RequestContext, @Param({ schema: webspaceParams }) { name }: WebspaceParams): Promise<OperationSummary> {
    return this.webspaces.change(context, name, 'boot');
  }

  @Post(':name/reboot')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse(ACCEPTED)
  @Problems(404, 409)
  reboot(@Context() context: RequestContext, @Param({ schema: webspaceParams }) { name }: WebspaceParams): Promise<OperationSummary> {
    return this.webspaces.change(context, name, 'reboot');
  }

  @Post(':name/shutdown')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse(ACCEPTED)
  @Problems(404, 409)
  shutdown(@Context() context: RequestContext, @Param({ schema: webspaceParams }) { name }: WebspaceParams): Promise<OperationSummary> {
    return this.webspaces.change(context, name, 'shutdown');
  }
}
