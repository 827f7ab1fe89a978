import { Controller, Get, Inject } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../http/auth.guard.js';
import { Problems } from '../http/openapi.js';
import { ReadWebspace } from './read-webspace.service.js';
import { type Image, imageSchema } from './schemas.js';

@ApiTags('v1')
@Controller('v1/images')
export class ImagesController {
  constructor(@Inject(ReadWebspace) private readonly reads: ReadWebspace) {}

  @Get()
  @Public()
  @ApiResponse({ status: 200, description: 'Images that a webspace can be made of', standardSchema: imageSchema.array() })
  @Problems(503)
  images(): Promise<Image[]> {
    return this.reads.images();
  }
}
