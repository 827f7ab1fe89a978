import { Inject, Injectable } from '@nestjs/common';
import { CREATED_UPDATE, STARTED_UPDATE } from '#libs/contracts/operations.js';
import { legacyUserNumber } from '#libs/domain/names.js';
import { phaseOf } from '#libs/domain/phase.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Starter, type Wish } from '../operations/starter.service.js';
import { LxdReads } from '../reads/lxd-reads.js';
import type { CreateWebspaceBody, Webspace } from './schemas.js';

/** Changes of v1: each starts one operation and waits for it. */
@Injectable()
export class ChangeWebspace {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Starter) private readonly starter: Starter,
  ) {}

  async create(context: RequestContext, body: CreateWebspaceBody): Promise<Webspace> {
    refuseExtras(body);
    const { account } = context;
    const request = this.starter.createRequestFor(context, account, { image: body.image, boot: false }, body);
    // Asked first also for a repeat: an LXD that is away is found out before anything is begun.
    await this.starter.first(this.#mayBeMade(context, request.name));
    await this.starter.runUntil(context, request, CREATED_UPDATE);
    const { defaults } = this.deps.config.platform;
    return {
      user: legacyUserNumber(account.id),
      config: { startupDelay: defaults.startupDelaySeconds, httpPort: defaults.httpPort, sniPassthrough: false },
      domains: [],
      ports: {},
    };
  }

  async delete(context: RequestContext): Promise<void> {
    const wish = this.#wish(context, 'delete');
    // Asked for an LXD that is away only: a webspace whose creation is under way has no instance yet, and its delete wins.
    if (!(await this.starter.begun(context, wish.kind, wish.name))) await this.reads.exists(wish.name);
    await this.starter.run(context, this.starter.requestFor(context, wish));
  }

  async boot(context: RequestContext): Promise<void> {
    const wish = this.#wish(context, 'boot');
    await this.starter.first(this.#mayBeBooted(context, wish.name));
    await this.starter.runUntil(
      context,
      this.starter.requestFor(context, wish, ({ name }) => ({ name })),
      STARTED_UPDATE,
    );
  }

  async reboot(context: RequestContext): Promise<void> {
    await this.#whileRunning(context, 'reboot');
  }

  async shutdown(context: RequestContext): Promise<void> {
    await this.#whileRunning(context, 'shutdown');
  }

  /** The original's `sync`: makes routes and claims again from the record. */
  async sync(context: RequestContext): Promise<void> {
    const wish = this.#wish(context, 'restore');
    await this.reads.existing(wish.name);
    const reason = `asked by ${context.caller.username}`;
    await this.starter.run(
      context,
      this.starter.requestFor(context, wish, ({ name }) => ({ name, reason })),
    );
  }

  async #mayBeMade({ idempotencyKey }: RequestContext, name: string): Promise<void> {
    if ((await this.reads.exists(name)) && idempotencyKey === undefined) throw alreadyExists(name);
  }

  async #mayBeBooted({ idempotencyKey }: RequestContext, name: string): Promise<void> {
    if ((await this.#phase(name)) === 'running' && idempotencyKey === undefined) throw conflict('already running', `${name} runs already.`);
  }

  async #whileRunning(context: RequestContext, kind: 'reboot' | 'shutdown'): Promise<void> {
    const wish = this.#wish(context, kind);
    const repeat = await this.starter.begun(context, kind, wish.name);
    if (!repeat && (await this.#phase(wish.name)) === 'stopped') throw conflict('not running', `${wish.name} does not run. Boot it first.`);
    await this.starter.run(context, this.starter.requestFor(context, wish));
  }

  #wish({ account }: RequestContext, kind: Wish['kind']): Wish {
    return { kind, name: this.starter.nameFor(account.id), owner: account.id, ownerName: account.username };
  }

  async #phase(name: string) {
    return phaseOf((await this.reads.existing(name)).status_code);
  }
}

export function alreadyExists(name: string): PlatformError {
  return conflict('already exists', `${name} exists already. Delete it first to make a new one.`);
}

function refuseExtras({ password, ssh }: CreateWebspaceBody): void {
  const field = password === undefined ? (ssh ? 'ssh' : undefined) : 'password';
  if (field) throw new PlatformError('INVALID_INPUT', `${field}: not available yet; leave it out.`, { details: { field } });
}

function conflict(legacyMessage: string, message: string): PlatformError {
  return new PlatformError('CONFLICT', message, { details: { legacyMessage } });
}
