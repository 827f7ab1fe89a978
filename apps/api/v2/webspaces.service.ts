import { Inject, Injectable } from '@nestjs/common';
import { portKey } from '#libs/domain/change.js';
import { isWebspaceName } from '#libs/domain/names.js';
import { phaseOf } from '#libs/domain/phase.js';
import { uidOf } from '#libs/domain/record.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Caller } from '#libs/identity/identity.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Changes } from '../operations/changes.service.js';
import { wantedExtras } from '../operations/extras.js';
import { Starter, type Wish } from '../operations/starter.service.js';
import { LxdReads } from '../reads/lxd-reads.js';
import { assertMayBeDeleted, assertNotSuspended } from '../reads/suspended.js';
import { alreadyExists } from '../v1/change-webspace.service.js';
import type {
  ChangeWebspaceV2Body,
  CreateWebspaceV2Body,
  PortForwardListQuery,
  PortForwardPage,
  WebspaceListQuery,
  WebspacePage,
  WebspaceView,
} from './schemas.js';
import { matchesQuery, webspaceViewOf } from './webspace-view.js';

/** Webspaces of v2: reads straight from LXD; changes answer with the operation they started. */
@Injectable()
export class Webspaces {
  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(LxdReads) private readonly reads: LxdReads,
    @Inject(Starter) private readonly starter: Starter,
    @Inject(Changes) private readonly changes: Changes,
  ) {}

  async list(context: RequestContext, { q, limit, cursor }: WebspaceListQuery): Promise<WebspacePage> {
    const views = (await this.#visible(context))
      .filter((view) => (cursor === undefined || view.name > cursor) && (q === undefined || matchesQuery(view, q)))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const page = views.slice(0, limit);
    const last = page.at(-1);
    return { webspaces: page, ...(views.length > page.length && last ? { cursor: last.name } : {}) };
  }

  async read(context: RequestContext, name: string): Promise<WebspaceView> {
    return (await this.authorised(context, name)).view;
  }

  async create(context: RequestContext, body: CreateWebspaceV2Body): Promise<OperationSummary> {
    const owner = await this.deps.identity.account(body.owner ?? 'self', context.caller);
    const extras = wantedExtras(body, owner, this.deps.config.platform);
    const name = this.starter.nameFor(owner.id);
    const exists = await this.reads.exists(name);
    if (exists && context.idempotencyKey === undefined) throw alreadyExists(name);
    const { image, boot } = body;
    return await this.starter.begin(context, await this.starter.createRequestFor(context, owner, { image, boot, extras }, body));
  }

  async change(
    context: RequestContext,
    name: string,
    kind: Extract<Wish['kind'], 'delete' | 'boot' | 'reboot' | 'shutdown'>,
  ): Promise<OperationSummary> {
    const begun = await this.starter.begun(context, kind, name);
    if (begun) return begun;
    // One's own webspace whose creation is under way has no instance yet, and its delete wins.
    const unborn = kind === 'delete' && name === this.#ownName(context) && !(await this.reads.exists(name));
    const { view, instance } = unborn ? {} : await this.authorised(context, name);
    if (instance && context.idempotencyKey === undefined) assertSensible(kind, instance, context.caller);
    const owner = view
      ? ownerOf(view)
      : { id: name === this.#ownName(context) ? context.caller.subject : 'unknown', username: UNKNOWN_OWNER };
    const wish: Wish = { kind, name, owner: owner.id, ownerName: owner.username };
    return await this.starter.begin(context, this.starter.requestFor(context, wish, kind === 'boot' ? () => ({ name }) : undefined));
  }

  async patch(context: RequestContext, name: string, change: ChangeWebspaceV2Body): Promise<OperationSummary> {
    const { view } = await this.authorised(context, name);
    return await this.changes.begin(context, { name, owner: ownerOf(view) }, change);
  }

  /** Of every webspace whose record can be read. */
  async portForwards(
    context: RequestContext,
    { webspace, protocol, external, limit, cursor }: PortForwardListQuery,
  ): Promise<PortForwardPage> {
    if (!context.caller.isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins see the ports of all webspaces.');
    const all = (await this.reads.instances())
      .flatMap((instance) => this.#view(instance) ?? [])
      .flatMap(({ name, owner, ports }) => (owner ? (ports ?? []).map((port) => ({ ...port, webspace: name, owner })) : []))
      .filter(
        (port) =>
          (webspace === undefined || port.webspace === webspace) &&
          (protocol === undefined || port.protocol === protocol) &&
          (external === undefined || port.external === external),
      )
      .sort((a, b) => (placeOf(portKey(a)) < placeOf(portKey(b)) ? -1 : 1))
      .filter((port) => cursor === undefined || placeOf(portKey(port)) > placeOf(cursor));
    const portForwards = all.slice(0, limit);
    const last = portForwards.at(-1);
    return { portForwards, ...(all.length > limit && last ? { cursor: portKey(last) } : {}) };
  }

  async #visible(context: RequestContext): Promise<WebspaceView[]> {
    if (context.caller.isAdmin) return (await this.reads.instances()).flatMap((instance) => this.#view(instance) ?? []);
    try {
      return [this.#view(await this.reads.instance(this.#ownName(context)))].flatMap((view) => view ?? []);
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) return [];
      throw error;
    }
  }

  /** A member sees the own webspace: by its name, which follows from the account, or by the owner in its record. */
  async authorised(context: RequestContext, name: string): Promise<{ view: WebspaceView; instance: LxdInstance }> {
    const own = context.caller.isAdmin || name === this.#ownName(context);
    const instance = await this.reads.existing(name).catch((error: unknown) => {
      throw own || !isPlatformError(error, 'NOT_FOUND') ? error : foreign(name);
    });
    const view = this.#view(instance);
    const owned = view?.owner ? view.owner.id === context.caller.subject : own;
    if (!context.caller.isAdmin && !owned) throw foreign(name);
    if (view) return { view, instance };
    throw new PlatformError('NOT_FOUND', `${name} is no webspace.`, { details: { legacyMessage: 'not found' } });
  }

  #view(instance: LxdInstance): WebspaceView | undefined {
    const { baseDomain, publicPort, instancePrefix } = this.deps.config.platform;
    const view = webspaceViewOf(instance, { baseDomain, publicPort });
    return view && (uidOf(instance) !== undefined || isWebspaceName(instancePrefix, instance.name)) ? view : undefined;
  }

  #ownName({ caller }: RequestContext): string {
    return this.starter.nameFor(caller.subject);
  }
}

/** A port's key, in the order of numbers. */
function placeOf(key: string): string {
  const [protocol, external = ''] = key.split('-');
  return `${external.padStart(5, '0')} ${protocol}`;
}

const UNKNOWN_OWNER = 'an unknown owner';

/** Whose it is, as far as its record tells. */
export function ownerOf({ owner }: WebspaceView): { readonly id: string; readonly username: string } {
  return { id: owner?.id ?? 'unknown', username: owner?.username ?? UNKNOWN_OWNER };
}

function foreign(name: string): PlatformError {
  return new PlatformError('FORBIDDEN', `${name} is not yours.`);
}

function assertSensible(kind: Wish['kind'], instance: LxdInstance, caller: Caller): void {
  const phase = phaseOf(instance.status_code);
  if (kind === 'boot') assertNotSuspended(instance);
  if (kind === 'delete') assertMayBeDeleted(instance, caller);
  if (kind === 'boot' && phase === 'running')
    throw new PlatformError('CONFLICT', `${instance.name} runs already.`, { details: { legacyMessage: 'already running' } });
  if ((kind === 'reboot' || kind === 'shutdown') && phase === 'stopped') {
    throw new PlatformError('CONFLICT', `${instance.name} does not run. Boot it first.`, { details: { legacyMessage: 'not running' } });
  }
}
