import { Inject, Injectable } from '@nestjs/common';
import { hostsOf } from '#libs/domain/claims.js';
import { withUsername } from '#libs/domain/record.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo } from '#libs/identity/identity.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import { Starter } from '../operations/starter.service.js';
import { KnownStarts } from '../reads/known-starts.js';
import { LxdReads, type WebspaceReading } from '../reads/lxd-reads.js';
import type { Image, State, Webspace } from './schemas.js';
import { imageView, stateView, webspaceView } from './views.js';

/** Reads of v1, straight from LXD. */
@Injectable()
export class ReadWebspace {
  readonly #starts = new KnownStarts();

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Starter) private readonly starter: Starter,
  ) {}

  async images(): Promise<Image[]> {
    return (await this.reads.images()).map(imageView);
  }

  async webspace(account: AccountInfo): Promise<Webspace> {
    return webspaceView((await this.reading(account)).record);
  }

  /** The default domain, then the custom ones in the order in which they came. */
  async domains(account: AccountInfo): Promise<string[]> {
    const { record } = await this.reading(account);
    return hostsOf(withUsername(record, account.username), this.deps.config.platform.baseDomain);
  }

  async state(account: AccountInfo): Promise<State> {
    const name = this.starter.nameFor(account.id);
    const reading = this.reads.state(name);
    reading.catch(() => undefined); // the instance's own error is the one to report
    const start = this.#starts.find(name);
    if (start) {
      const state = await reading.catch(() => undefined);
      if (state?.pid === start.pid) return stateView(start, state);
    }
    const { instance } = await this.reading(account);
    const state = await reading;
    this.#starts.note(instance, state);
    return stateView(instance, state);
  }

  /** @throws PlatformError NOT_FOUND when the account has none, FORBIDDEN when its record names another owner. */
  async reading(account: AccountInfo): Promise<WebspaceReading> {
    const reading = await this.reads.webspace(this.starter.nameFor(account.id));
    if (reading.record.owner.id === account.id) return reading;
    throw new PlatformError('FORBIDDEN', `${reading.instance.name} belongs to another account.`);
  }
}
