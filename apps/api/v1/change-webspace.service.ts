import { Inject, Injectable } from '@nestjs/common';
import { CREATED_UPDATE, type CreateWebspaceResult } from '#libs/contracts/operations.js';
import { legacyUserNumber } from '#libs/domain/names.js';
import { phaseOf } from '#libs/domain/phase.js';
import { readableRecord } from '#libs/domain/record.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Changes, type Target } from '../operations/changes.service.js';
import { wantedExtras } from '../operations/extras.js';
import { Starter, type Wish } from '../operations/starter.service.js';
import { LxdReads } from '../reads/lxd-reads.js';
import { assertMayBeDeleted, assertNotSuspended } from '../reads/suspended.js';
import type { ChangeConfigBody, Config, CreateWebspaceBody, Webspace } from './schemas.js';
import { configView, portsView } from './views.js';

/** Changes of v1: each starts one operation and waits for it. */
@Injectable()
export class ChangeWebspace {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Starter) private readonly starter: Starter,
    @Inject(Changes) private readonly changes: Changes,
  ) {}

  async create(context: RequestContext, body: CreateWebspaceBody): Promise<Webspace> {
    const { account } = context;
    const extras = wantedExtras(body, account, this.deps.config.platform);
    // Asked first also for a repeat: an LXD that is away is found out before anything is begun.
    await this.starter.first(this.#mayBeMade(context, this.starter.nameFor(account.id)));
    const request = await this.starter.createRequestFor(context, account, { image: body.image, boot: false, extras }, body);
    const { ports = [] } = await this.starter.runUntil<CreateWebspaceResult>(context, request, CREATED_UPDATE);
    return {
      user: legacyUserNumber(account.id),
      config: configView({ ...this.deps.config.platform.defaults, sniPassthrough: false }),
      domains: [],
      ports: portsView(ports),
    };
  }

  async delete(context: RequestContext): Promise<void> {
    const wish = this.#wish(context, 'delete');
    // Asked for an LXD that is away only: a webspace whose creation is under way has no instance yet, and its delete wins.
    if (!(await this.starter.begun(context, wish.kind, wish.name))) {
      const instance = await this.reads.find(wish.name);
      if (instance) assertMayBeDeleted(instance, context.caller);
    }
    await this.starter.run(context, this.starter.requestFor(context, wish));
  }

  async boot(context: RequestContext): Promise<void> {
    const wish = this.#wish(context, 'boot');
    await this.starter.first(this.#mayBeBooted(context, wish.name));
    await this.starter.boot(context, wish);
  }

  async reboot(context: RequestContext): Promise<void> {
    await this.#whileRunning(context, 'reboot');
  }

  async shutdown(context: RequestContext): Promise<void> {
    await this.#whileRunning(context, 'shutdown');
  }

  /** The original's `sync`: makes routes and claims again from the record, after following a new name of the account. */
  async sync(context: RequestContext): Promise<void> {
    const wish = this.#wish(context, 'restore');
    const { username } = context.account;
    const record = readableRecord(await this.reads.existing(wish.name));
    const known = record?.owner.username;
    if (known !== undefined && known !== username) await this.changes.run(context, this.#own(context), { owner: { username } });
    const reason = `asked by ${context.caller.username}`;
    await this.starter.run(
      context,
      this.starter.requestFor(context, wish, ({ name }) => ({ name, reason })),
    );
  }

  /** Gives the configuration as it was before, as the original does. */
  async config(context: RequestContext, { startupDelay, httpPort, sniPassthrough }: ChangeConfigBody): Promise<Config> {
    const config = { startupDelaySeconds: startupDelay, httpPort, sniPassthrough };
    const { previous } = await this.changes.run(context, this.#own(context), { config });
    return configView(previous);
  }

  /** Forwards a TCP port, from any free external port when none is named; gives the external port. */
  async addPort(context: RequestContext, iPort: string, ePort?: string): Promise<number> {
    const external = ePort === undefined ? undefined : portNumber(ePort, 'ePort');
    const port = { protocol: 'tcp', external, internal: portNumber(iPort, 'iPort') } as const;
    const { added } = await this.changes.run(context, this.#own(context), { ports: { add: [port], remove: [] } });
    return added[0]?.external ?? 0;
  }

  async removePort(context: RequestContext, ePort: string): Promise<void> {
    const port = { protocol: 'tcp', external: portNumber(ePort, 'ePort') } as const;
    await this.changes.run(context, this.#own(context), { ports: { add: [], remove: [port] } });
  }

  async addDomain(context: RequestContext, domain: string): Promise<void> {
    await this.changes.run(context, this.#own(context), { domains: { add: [domain], remove: [] } });
  }

  async removeDomain(context: RequestContext, domain: string): Promise<void> {
    await this.changes.run(context, this.#own(context), { domains: { add: [], remove: [domain] } });
  }

  #own({ account }: RequestContext): Target {
    return { name: this.starter.nameFor(account.id), owner: account };
  }

  async #mayBeMade({ idempotencyKey }: RequestContext, name: string): Promise<void> {
    if ((await this.reads.exists(name)) && idempotencyKey === undefined) throw alreadyExists(name);
  }

  async #mayBeBooted({ idempotencyKey }: RequestContext, name: string): Promise<void> {
    const instance = await this.reads.existing(name);
    if (idempotencyKey === undefined) assertNotSuspended(instance);
    if (phaseOf(instance.status_code) === 'running' && idempotencyKey === undefined)
      throw conflict('already running', `${name} runs already.`);
  }

  async #whileRunning(context: RequestContext, kind: 'reboot' | 'shutdown'): Promise<void> {
    const wish = this.#wish(context, kind);
    const repeat = await this.starter.begun(context, kind, wish.name);
    if (!repeat && (await this.#phase(wish.name)) === 'stopped') throw notRunning(wish.name);
    await this.starter.run(context, this.starter.requestFor(context, wish)).catch((error: unknown) => {
      throw isPlatformError(error, 'CONFLICT') && error.details['reason'] === 'not-running' ? notRunning(wish.name) : error;
    });
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

function portNumber(text: string, field: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new PlatformError('INVALID_INPUT', `${field}: must be a port number from 1 to 65535.`, {
    details: { field, legacyMessage: 'invalid port' },
  });
}

/** 404 as the original's: of 409 its CLI would not tell the reason here. */
function notRunning(name: string): PlatformError {
  return new PlatformError('NOT_FOUND', `${name} does not run. Boot it first.`, { details: { legacyMessage: 'not running' } });
}

function conflict(legacyMessage: string, message: string): PlatformError {
  return new PlatformError('CONFLICT', message, { details: { legacyMessage } });
}
