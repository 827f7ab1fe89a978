import { Controller, Get, HttpCode, Inject, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Public } from '../http/auth.guard.js';
import { Problems } from '../http/openapi.js';
import { type Health, HealthService } from './health.service.js';

const dependency = z.object({ ok: z.boolean(), optional: z.boolean(), reason: z.string().optional() });
const healthSchema = z
  .object({
    status: z.enum(['ready', 'degraded', 'not ready']),
    dependencies: z.object({ lxd: dependency, temporal: dependency, identity: dependency }),
  })
  .meta({ id: 'Health' });

const liveSchema = z.object({ status: z.literal('live') }).meta({ id: 'Live' });

@Public()
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(@Inject(HealthService) private readonly service: HealthService) {}

  @Get()
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Ready' })
  @Problems(503)
  summary(): Promise<void> {
    return this.service.assertReady();
  }

  @Get('live')
  @ApiResponse({ status: 200, description: 'The process serves requests', standardSchema: liveSchema })
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  @Get('ready')
  @ApiResponse({ status: 200, description: 'Ready, or degraded: reads work, changes do not', standardSchema: healthSchema })
  @ApiResponse({ status: 503, description: 'Not ready, with the reasons', standardSchema: healthSchema })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Health> {
    const health = await this.service.health();
    reply.code(health.status === 'not ready' ? 503 : 200);
    return health;
  }
}
