import { Inject, Injectable } from '@nestjs/common';
import type { SuspensionChange } from '#libs/contracts/operations.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import type { RequestContext } from '../http/context.js';
import { Changes } from '../operations/changes.service.js';
import { Starter } from '../operations/starter.service.js';
import { LxdReads } from '../reads/lxd-reads.js';

/** What an admin decides about an account: it shows in its webspace. */
@Injectable()
export class Accounts {
  constructor(
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Changes) private readonly changes: Changes,
    @Inject(Starter) private readonly starter: Starter,
  ) {}

  suspend(context: RequestContext, id: string, note: string | undefined): Promise<OperationSummary> {
    const since = new Date().toISOString();
    const by = context.caller.username;
    return this.#change(context, id, { to: 'suspended', since, reason: 'admin', by, ...(note === undefined ? {} : { note }) });
  }

  resume(context: RequestContext, id: string): Promise<OperationSummary> {
    return this.#change(context, id, { to: 'resumed', by: context.caller.username });
  }

  async #change(context: RequestContext, id: string, suspension: SuspensionChange): Promise<OperationSummary> {
    if (!context.caller.isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins suspend and resume accounts.');
    const name = this.starter.nameFor(id);
    const { record } = await this.reads.webspace(name);
    return await this.changes.begin(context, { name, owner: { id, username: record.owner.username ?? id } }, { suspension });
  }
}
