import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { Context, type RequestContext } from '../http/context.js';
import { NeedsToken, Problems, Repeatable } from '../http/openapi.js';
import { Accounts } from './accounts.service.js';
import { type AccountParams, accountParams, operationSummarySchema, type SuspendBody, suspendBody } from './schemas.js';

@ApiTags('v2 accounts')
@NeedsToken()
@Problems(400, 404, 409, 502)
@Controller('v2/accounts/:id')
export class AccountsController {
  constructor(@Inject(Accounts) private readonly accounts: Accounts) {}

  @Post('suspend')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse({ status: 202, description: "Begun: the account's webspace is turned off (admins)", standardSchema: operationSummarySchema })
  suspend(
    @Context() context: RequestContext,
    @Param({ schema: accountParams }) { id }: AccountParams,
    @Body({ schema: suspendBody }) { note }: SuspendBody,
  ): Promise<OperationSummary> {
    return this.accounts.suspend(context, id, note);
  }

  @Post('resume')
  @HttpCode(202)
  @Repeatable()
  @ApiResponse({ status: 202, description: "Begun: the account's webspace may run again (admins)", standardSchema: operationSummarySchema })
  resume(@Context() context: RequestContext, @Param({ schema: accountParams }) { id }: AccountParams): Promise<OperationSummary> {
    return this.accounts.resume(context, id);
  }
}
