import { Inject, Injectable } from '@nestjs/common';
import type { ChangeKind, ChangeWebspaceResult, WebspaceChange } from '#libs/contracts/operations.js';
import { planChange, withCanonicalDomains } from '#libs/domain/change.js';
import { withUsername } from '#libs/domain/record.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { LxdReads } from '../reads/lxd-reads.js';
import { Starter } from './starter.service.js';

/** Whose webspace is to be changed. */
export interface Target {
  readonly name: string;
  readonly owner: { readonly id: string; readonly username: string };
}

/** Changes of a webspace's record; what its present record already refuses is refused before anything is begun. */
@Injectable()
export class Changes {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Starter) private readonly starter: Starter,
  ) {}

  /** Starts the change and waits until it is done and published. */
  async run(context: RequestContext, target: Target, asked: WebspaceChange): Promise<ChangeWebspaceResult> {
    const change = withCanonicalDomains(asked, this.deps.config.platform);
    await this.#assertPossible(context, target, change);
    return await this.starter.run(context, this.#request(context, target, change));
  }

  /** Starts the change. */
  async begin(context: RequestContext, target: Target, asked: WebspaceChange): Promise<OperationSummary> {
    const change = withCanonicalDomains(asked, this.deps.config.platform);
    await this.#assertPossible(context, target, change);
    return await this.starter.begin(context, this.#request(context, target, change));
  }

  async #assertPossible(context: RequestContext, { name, owner }: Target, change: WebspaceChange): Promise<void> {
    if (await this.starter.begun(context, kindOf(change), name)) return;
    const { record } = await this.reads.webspace(name);
    planChange(withUsername(record, owner.username), change, this.deps.config.platform);
  }

  #request(context: RequestContext, { name, owner }: Target, change: WebspaceChange) {
    const wish = { kind: kindOf(change), name, owner: owner.id, ownerName: owner.username, body: change };
    return this.starter.requestFor(context, wish, (common) => ({ ...common, change }));
  }
}

/** The operation's kind says in Temporal UI what is changed. */
function kindOf({ config, domains, ports, owner, suspension, policy }: WebspaceChange): ChangeKind {
  const parts: ChangeKind[] = [
    ...(config ? (['config'] as const) : []),
    ...(domains ? (['domains'] as const) : []),
    ...(ports ? (['ports'] as const) : []),
    ...(policy ? (['change'] as const) : []),
    ...(owner ? (['rename'] as const) : []),
    ...(suspension ? [suspension.to === 'suspended' ? ('suspend' as const) : ('resume' as const)] : []),
  ];
  return parts.length === 1 && parts[0] ? parts[0] : 'change';
}
