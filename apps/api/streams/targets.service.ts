import { Inject, Injectable } from '@nestjs/common';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import { LxdReads } from '../reads/lxd-reads.js';
import { ReadWebspace } from '../v1/read-webspace.service.js';
import { ownerOf, Webspaces } from '../v2/webspaces.service.js';

/** The webspace that a stream goes to; the caller may use it. */
export interface Target {
  readonly name: string;
  readonly owner: { readonly id: string; readonly username: string };
}

/** Finds the webspaces of streams, and boots them where a stream needs that. */
@Injectable()
export class Targets {
  constructor(
    @Inject(ReadWebspace) private readonly legacy: ReadWebspace,
    @Inject(Webspaces) private readonly webspaces: Webspaces,
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Starter) private readonly starter: Starter,
  ) {}

  /** The webspace of the account that the path names. @throws PlatformError NOT_FOUND, FORBIDDEN. */
  async ofAccount({ account }: RequestContext): Promise<Target> {
    const { instance } = await this.legacy.reading(account);
    return { name: instance.name, owner: account };
  }

  /** The webspace of that name. @throws PlatformError NOT_FOUND, FORBIDDEN. */
  async named(context: RequestContext, name: string): Promise<Target> {
    const { view } = await this.webspaces.authorised(context, name);
    return { name, owner: ownerOf(view) };
  }

  /** Does what needs a running webspace, and boots it, or joins its boot, when LXD says that it does not run. */
  async whileRunning<T>(context: RequestContext, target: Target, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isPlatformError(error) || error.details['reason'] !== 'not-running') throw error;
    }
    await this.#boot(context, target);
    return await work();
  }

  async #boot(context: RequestContext, { name, owner }: Target): Promise<void> {
    await this.starter.first(this.reads.existing(name));
    // A key is the request's own: it says nothing about a boot that the request happens to need.
    const { caller, route } = context;
    const unnamed = { caller, route, idempotencyKey: undefined, noteOperation: (id: string) => context.noteOperation(id) };
    await this.starter.boot(unnamed, { kind: 'boot', name, owner: owner.id, ownerName: owner.username });
  }
}
