import type { Readable } from 'node:stream';
import { Body, Controller, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import {
  type ImageList,
  type ImageSourcesView,
  type ImportBody,
  imageListSchema,
  imageSourcesSchema,
  importBody,
  type UploadView,
  uploadSchema,
} from './images.schemas.js';
import { Images } from './images.service.js';
import { operationSummarySchema } from './schemas.js';

@ApiTags('v2 images')
@NeedsToken()
@Controller('v2/images')
export class ImagesV2Controller {
  constructor(@Inject(Images) private readonly images: Images) {}

  @Get()
  @ApiResponse({ status: 200, description: 'Images with their evidence and who uses them (admins)', standardSchema: imageListSchema })
  list(@Context() context: RequestContext): Promise<ImageList> {
    return this.images.list(context);
  }

  @Get('sources')
  @ApiResponse({ status: 200, description: 'The sources that are followed (admins)', standardSchema: imageSourcesSchema })
  sources(@Context() context: RequestContext): Promise<ImageSourcesView> {
    return this.images.sources(context);
  }

  @Post('imports')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse({ status: 202, description: 'Begun (admins)', standardSchema: operationSummarySchema })
  @Problems(400, 404, 409)
  import(@Context() context: RequestContext, @Body({ schema: importBody }) body: ImportBody): Promise<OperationSummary> {
    return this.images.import(context, body);
  }

  @Post('uploads')
  @HttpCode(201)
  @ApiConsumes('application/octet-stream')
  @ApiBody({ description: 'One file, as it is', schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 201, description: 'Kept for an import (admins)', standardSchema: uploadSchema })
  @Problems(400, 502)
  upload(@Context() context: RequestContext, @Body() body: Readable | undefined): Promise<UploadView> {
    return this.images.upload(context, body);
  }
}
