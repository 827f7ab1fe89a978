import { Inject, Injectable } from '@nestjs/common';
import { type AdoptionPlan, type AdoptWebspacesInput, ALL_WEBSPACES } from '#libs/contracts/adoption.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { OperationSummary, StartRequest } from '#libs/temporal/operations.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import type { AdoptionBody } from './adoptions.controller.js';

/** Taking over an installation of the original: for admins. */
@Injectable()
export class Adoptions {
  constructor(@Inject(Starter) private readonly starter: Starter) {}

  plan(context: RequestContext, body: AdoptionBody): Promise<AdoptionPlan> {
    return this.starter.run<AdoptionPlan>(context, this.#request(context, body));
  }

  begin(context: RequestContext, body: AdoptionBody): Promise<OperationSummary> {
    return this.starter.begin(context, this.#request(context, body));
  }

  #request(context: RequestContext, body: AdoptionBody): StartRequest {
    const { caller } = context;
    if (!caller.isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins take over webspaces.');
    const wish = { kind: 'adoptions', name: ALL_WEBSPACES, owner: caller.subject, ownerName: 'everybody', body } as const;
    return this.starter.requestFor(
      context,
      wish,
      ({ operationId, requestedBy }): AdoptWebspacesInput => ({
        operationId,
        requestedBy,
        dryRun: body.dryRun,
        after: body.after ?? '',
      }),
    );
  }
}
