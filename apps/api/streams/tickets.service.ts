import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo, Caller } from '#libs/identity/identity.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import type { StreamKind, Ticket } from './schemas.js';
import { Targets } from './targets.service.js';

const person = { username: z.string(), isAdmin: z.boolean() };
const contentSchema = z.object({
  id: z.string(),
  expiresAt: z.number(),
  caller: z.object({ subject: z.string(), ...person }),
  account: z.object({ id: z.string(), ...person }),
});

/**
 * Tickets for browsers, which cannot send a token with a WebSocket: sealed, so that any replica of the API takes those of any other, good for
 * seconds, for one stream of one webspace, and once in each process.
 */
@Injectable()
export class Tickets {
  /** When those that were used expire, by id. */
  readonly #used = new Map<string, number>();

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Targets) private readonly targets: Targets,
  ) {}

  async issue(context: RequestContext, name: string, stream: StreamKind): Promise<Ticket> {
    const { owner } = await this.targets.named(context, name);
    const { caller } = context;
    const expiresAt = Date.now() + this.deps.config.streams.ticketSeconds * 1000;
    const account = { id: owner.id, username: owner.username, isAdmin: caller.isAdmin && owner.id === caller.subject };
    const content = { id: randomUUID(), expiresAt, caller, account };
    const ticket = this.deps.sealing.seal(JSON.stringify(content), contextOf(stream));
    const base = this.deps.config.publicUrl.replace(/^http/, 'ws').replace(/\/$/, '');
    const user = owner.id === caller.subject ? 'self' : `id:${owner.id}`;
    return {
      ticket,
      url: `${base}/v1/webspace/${encodeURIComponent(user)}/${stream}?ticket=${ticket}`,
      expiresAt: new Date(expiresAt).toISOString(),
    };
  }

  /** @throws PlatformError UNAUTHORIZED for one that is not good any more or never was; FORBIDDEN for another webspace. */
  redeem(
    ticket: unknown,
    { stream, user }: { readonly stream: StreamKind; readonly user: string },
  ): { caller: Caller; account: AccountInfo } {
    const { id, expiresAt, caller, account } = this.#open(ticket, stream);
    const names = [account.username, `id:${account.id}`, ...(account.id === caller.subject ? ['self'] : [])];
    if (!names.includes(user)) throw new PlatformError('FORBIDDEN', 'The ticket is for another webspace.');
    const now = Date.now();
    if (expiresAt <= now) throw refused('it has expired');
    for (const [old, until] of this.#used) if (until <= now) this.#used.delete(old);
    if (this.#used.has(id)) throw refused('it was used already');
    this.#used.set(id, expiresAt);
    return { caller, account };
  }

  #open(ticket: unknown, stream: StreamKind) {
    try {
      return contentSchema.parse(JSON.parse(this.deps.sealing.open(z.string().parse(ticket), contextOf(stream))));
    } catch {
      // Nothing of a ticket belongs into an error.
      throw refused('it is not one for this stream');
    }
  }
}

function contextOf(stream: StreamKind) {
  return { uid: 'ticket', operationId: stream };
}

function refused(why: string): PlatformError {
  return new PlatformError('UNAUTHORIZED', `The ticket is not accepted: ${why}. Get a new one.`);
}
