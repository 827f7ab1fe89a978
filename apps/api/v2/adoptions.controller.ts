import { Body, Controller, Inject, Post, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { AdoptionPlan } from '#libs/contracts/adoption.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { Adoptions } from './adoptions.service.js';
import { operationSummarySchema, portForwardView, webspaceName } from './schemas.js';

const adoptionBody = z
  .strictObject({
    dryRun: z.boolean({ error: 'must be true or false' }).default(true).describe('Only tell what would change; begin with that'),
    after: webspaceName.optional().describe('`next` of the page before (dry run)'),
  })
  .meta({ id: 'AdoptionRequest' });
export type AdoptionBody = z.output<typeof adoptionBody>;

const adoptionPlan = z
  .object({
    total: z.int().describe('Webspaces of the original that are not converted yet'),
    webspaces: z.array(
      z.object({
        name: z.string(),
        owner: z.object({ id: z.string(), username: z.string().optional().describe('Absent when nobody knows it') }).optional(),
        domains: z.array(z.string()),
        ports: z.array(portForwardView),
        conflicts: z.array(z.string()).describe('What of it another webspace holds, or an older one keeps'),
        warnings: z.array(z.string()).describe('What is not taken over as the original wrote it'),
        problem: z.string().optional().describe('Why it cannot be adopted'),
      }),
    ),
    next: z.string().optional().describe('Present when there are more: ask again with it as `after`'),
    leftovers: z.object({
      objects: z.array(z.string()).describe("Objects of the original in the platform's own namespace"),
      command: z.string().describe('What an operator runs to remove the objects of the original, once it is stopped'),
    }),
  })
  .meta({ id: 'AdoptionPlan' });

@ApiTags('v2 adoption')
@NeedsToken()
@Controller('v2/adoptions')
export class AdoptionsController {
  constructor(@Inject(Adoptions) private readonly adoptions: Adoptions) {}

  @Post()
  @Repeatable()
  @ApiResponse({ status: 200, description: 'Dry run: what would change', standardSchema: adoptionPlan })
  @ApiResponse({ status: 202, description: 'Begun', standardSchema: operationSummarySchema })
  @Problems(400, 409, 502, 504)
  async adopt(
    @Context() context: RequestContext,
    @Body({ schema: adoptionBody }) body: AdoptionBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AdoptionPlan | OperationSummary> {
    reply.code(body.dryRun ? 200 : 202);
    return body.dryRun ? await this.adoptions.plan(context, body) : await this.adoptions.begin(context, body);
  }
}
