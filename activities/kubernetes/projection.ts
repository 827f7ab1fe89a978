import { KINDS, type KindName, type StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { certifiedDomains } from '#libs/domain/certificates.js';
import { CLAIM_KINDS } from '#libs/domain/claims.js';
import { desiredObjects, type Published, publishedOf, type Withheld, webspaceLabels, webspaceSpec } from '#libs/domain/desired-objects.js';
import type { Platform } from '#libs/domain/platform.js';
import {
  adopted,
  type Condition,
  finderIn,
  type ObservedObjects,
  type ProjectionPlan,
  type StatusChange,
  uidOfObject,
  withheldOf,
} from '#libs/domain/projection.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { settleAll } from '../shared/settle-all.js';

/** Routes first: what is taken away last must not be visited any more. */
const REBUILDABLE = ['ingressRoute', 'ingressRouteTcp', 'endpointSlice', 'service'] as const satisfies readonly KindName[];

/** Reads and writes the `Webspace` of one name and the objects it owns. */
export class Projection {
  readonly #kube: KubernetesClient;
  readonly #platform: Platform;

  constructor(kube: KubernetesClient, platform: Platform) {
    this.#kube = kube;
    this.#platform = platform;
  }

  async read(name: string, signal: AbortSignal): Promise<ObservedObjects> {
    const [webspace, service, endpointSlice, ingressRoute, ingressRouteTcp] = await Promise.all(
      (['webspace', 'service', 'endpointSlice', 'ingressRoute', 'ingressRouteTcp'] as const).map((kind) =>
        this.#kube.find(kind, name, { signal }),
      ),
    );
    const furtherObjects = webspace?.metadata.labels?.[LABELS.further] ? await this.#furtherObjects(name, signal) : [];
    return { webspace, service, endpointSlice, ingressRoute, ingressRouteTcp, furtherObjects };
  }

  /** Kinds that go with their `Webspace`; without an issuer there may be no cert-manager, and no Certificates. */
  #owned(): readonly KindName[] {
    return this.#platform.certificateIssuer ? [...REBUILDABLE, 'certificate'] : REBUILDABLE;
  }

  /** Cert-manager makes them and leaves them behind, so it is for us to remove them. */
  #secrets(): readonly KindName[] {
    return this.#platform.certificateIssuer ? ['secret'] : [];
  }

  #furtherKinds(): readonly KindName[] {
    return this.#platform.certificateIssuer ? ['ingressRoute', 'service', 'certificate', 'secret'] : ['ingressRoute', 'service'];
  }

  async #furtherObjects(name: string, signal: AbortSignal): Promise<StoredObject[]> {
    const labelSelector = `${LABELS.webspace}=${name}`;
    const lists = await Promise.all(this.#furtherKinds().map((kind) => this.#kube.list(kind, { labelSelector, signal })));
    return lists.flat().filter(({ metadata }) => metadata.name !== name);
  }

  /** Everything of ours at once, by webspace name. */
  async readAll(signal: AbortSignal): Promise<Map<string, ObservedObjects>> {
    const kinds: readonly KindName[] = ['webspace', ...this.#owned(), ...this.#secrets()];
    const lists = await Promise.all(
      kinds.map(async (kind) => ({ kind, objects: await this.#kube.list(kind, { labelSelector: LABELS.webspace, signal }) })),
    );
    const all = new Map<string, ObservedObjects>();
    for (const { kind, objects } of lists) {
      for (const object of objects) {
        const name = object.metadata.labels?.[LABELS.webspace] ?? object.metadata.name;
        const others = all.get(name) ?? {};
        const own = object.metadata.name === name;
        all.set(name, { ...others, ...(own ? { [kind]: object } : { furtherObjects: [...(others.furtherObjects ?? []), object] }) });
      }
    }
    return all;
  }

  /** `Webspace` and its objects exist for the record of a webspace that is being made, routed to the gateway. As {@link ensureWebspace}. */
  async ensureNew(name: string, record: WebspaceRecord, signal: AbortSignal): Promise<void> {
    const webspace = await this.ensureWebspace(name, record, [], signal);
    const objects = desiredObjects(name, record, 'gateway', this.#platform).map((object) => adopted(object, webspace));
    await settleAll(objects.map(({ kind, ...object }) => this.#kube.apply(kind, object, { signal })));
  }

  /**
   * The `Webspace` exists for this record; what it owns is left to the last look, which knows where the route has to lead. The caller holds
   * the lock and knows that no other webspace of this name lives: a `Webspace` of another uid is a left-over.
   */
  async ensureWebspace(name: string, record: WebspaceRecord, withheld: Withheld, signal: AbortSignal): Promise<StoredObject> {
    const fresh = { metadata: { name, labels: webspaceLabels(name, record) }, spec: webspaceSpec(record, this.#platform, withheld) };
    try {
      return await this.#kube.create('webspace', fresh, { signal });
    } catch (error) {
      if (!isPlatformError(error, 'CONFLICT')) throw error;
    }
    const found = await this.#kube.get('webspace', name, { signal });
    if (uidOfObject(found) === record.uid) {
      const { uid, resourceVersion } = found.metadata;
      const labels = webspaceLabels(name, record, LABELS.further in (found.metadata.labels ?? {}));
      return this.#kube.apply('webspace', { ...fresh, metadata: { name, labels, uid, resourceVersion } }, { signal });
    }
    await this.#kube.delete('webspace', name, { uid: found.metadata.uid, resourceVersion: found.metadata.resourceVersion }, { signal });
    return this.#kube.create('webspace', fresh, { signal });
  }

  /** Shows the address that a webspace of the original has been given. */
  async writeAddress(webspace: StoredObject, address: string, signal: AbortSignal): Promise<void> {
    const { name, labels, uid, resourceVersion } = webspace.metadata;
    const spec = { ...(webspace['spec'] as object), address };
    await this.#kube.apply('webspace', { metadata: { name, ...(labels ? { labels } : {}), uid, resourceVersion }, spec }, { signal });
  }

  /** Applies a plan under the preconditions of what was read. @throws STALE when something changed since. */
  async apply(
    plan: Extract<ProjectionPlan, { verdict: 'update' | 'unknown' }>,
    objects: ObservedObjects,
    signal: AbortSignal,
  ): Promise<void> {
    const { webspace } = objects;
    if (!webspace) return;
    if (plan.verdict === 'update') {
      // The Webspace's own uid as a precondition refuses a late write after a delete.
      await settleAll([
        ...plan.apply.map(({ kind, ...object }) => {
          const found = finderIn(objects)(kind, object.metadata.name);
          const mine = found && uidOfObject(found) === uidOfObject(webspace);
          const resourceVersion = mine ? { resourceVersion: found.metadata.resourceVersion } : {};
          return this.#kube.apply(kind, { ...object, metadata: { ...object.metadata, ...resourceVersion } }, { signal });
        }),
        ...plan.remove.filter(({ kind }) => kind !== KINDS.secret.kind).map((object) => this.#deleteObject(object, signal)),
      ]);
      // With its Certificate still there, cert-manager would make it again.
      const secrets = plan.remove.filter(({ kind }) => kind === KINDS.secret.kind);
      await settleAll(secrets.map((object) => this.#deleteObject(object, signal)));
    }
    if (plan.status) await this.writeStatus(webspace, plan.status, signal);
  }

  async writePhase(webspace: StoredObject, phase: StatusChange['phase'], signal: AbortSignal): Promise<void> {
    const message = `An operation is under way.`;
    await this.writeStatus(
      webspace,
      { phase, conditions: [{ type: 'Synced', status: 'Unknown', reason: 'OperationUnderWay', message }] },
      signal,
    );
  }

  async writeStatus(webspace: StoredObject, change: StatusChange, signal: AbortSignal): Promise<void> {
    const status = (webspace['status'] ?? {}) as { lastUsed?: string; conditions?: Condition[] };
    const before = new Map((status.conditions ?? []).map((condition) => [condition.type, condition]));
    const now = new Date().toISOString();
    const conditions = new Map(before);
    for (const condition of change.conditions) {
      const known = before.get(condition.type);
      conditions.set(condition.type, {
        ...condition,
        lastTransitionTime: known?.status === condition.status ? known.lastTransitionTime : now,
      });
    }
    const lastUsed = change.lastUsed ?? status.lastUsed;
    // The version, since the status subresource takes a write with any uid: it must not reach a later Webspace of the same name.
    const { name, uid, resourceVersion } = webspace.metadata;
    await this.#kube.apply(
      'webspace',
      {
        metadata: { name, uid, resourceVersion },
        status: {
          phase: change.phase,
          ...(lastUsed === undefined ? {} : { lastUsed }),
          conditions: [...conditions.values()],
        },
      },
      { subresource: 'status', signal },
    );
  }

  /** Leads visitors to the gateway (which boots); nothing else changes. Gives what visitors come by, nothing when there is no `Webspace` of this record. */
  async routeToGateway(name: string, record: WebspaceRecord, objects: ObservedObjects, signal: AbortSignal): Promise<Published> {
    const { webspace } = objects;
    if (!webspace || uidOfObject(webspace) !== record.uid) return { hosts: [], ports: 0 };
    const withheld = withheldOf(webspace, record, this.#platform);
    const certified = certifiedDomains(name, record, finderIn(objects));
    const routes = desiredObjects(name, record, 'gateway', this.#platform, { withheld, certified }).filter(
      ({ kind }) => kind === 'ingressRoute' || kind === 'ingressRouteTcp',
    );
    await settleAll([
      ...routes.map((object) => {
        const { kind, ...content } = adopted(object, webspace);
        return this.#kube.apply(kind, content, { signal });
      }),
      this.writePhase(webspace, 'stopping', signal),
    ]);
    return publishedOf(record, this.#platform, withheld);
  }

  /** Takes a webspace's routes away. */
  async removeRoutes(uid: string, signal: AbortSignal): Promise<void> {
    const lists = await settleAll((['ingressRoute', 'ingressRouteTcp'] as const).map((kind) => this.#listOf(kind, uid, signal)));
    await settleAll(lists.flat().map((object) => this.#deleteObject(object, signal)));
  }

  /** Removes every object of the uid but claims; gives how many it found. */
  async removeAll(uid: string, signal: AbortSignal): Promise<number> {
    const listed = (kinds: readonly KindName[]) =>
      settleAll(kinds.map((kind) => this.#listOf(kind, uid, signal))).then((lists) => lists.flat());
    const remove = (objects: readonly StoredObject[]) => settleAll(objects.map((object) => this.#deleteObject(object, signal)));
    const [owned, webspaces] = await settleAll([listed(this.#owned()), listed(['webspace'])]);
    await remove(owned);
    await remove(webspaces);
    // A Secret whose Certificate is still there would be made again.
    const secrets = await listed(this.#secrets());
    await remove(secrets);
    return owned.length + webspaces.length + secrets.length;
  }

  /** Names of all objects that carry the uid, claims included. */
  async search(uid: string, signal: AbortSignal): Promise<string[]> {
    const kinds = ['webspace' as const, ...this.#owned(), ...this.#secrets(), ...CLAIM_KINDS];
    const lists = await settleAll(kinds.map((kind) => this.#listOf(kind, uid, signal)));
    return lists.flat().map((object) => `${object.kind} ${object.metadata.name}`);
  }

  async #listOf(kind: KindName, uid: string, signal: AbortSignal): Promise<StoredObject[]> {
    return this.#kube.list(kind, { labelSelector: `${LABELS.uid}=${uid}`, signal });
  }

  async #deleteObject(object: StoredObject, signal: AbortSignal): Promise<void> {
    const kind = kindNameOf(object);
    const requests = kind === 'certificate' ? await this.#requestsOf(object, signal) : [];
    await this.#kube.delete(kind, object.metadata.name, { uid: object.metadata.uid }, { signal });
    await settleAll(
      requests.map(({ metadata }) => this.#kube.delete('certificateRequest', metadata.name, { uid: metadata.uid }, { signal })),
    );
  }

  /**
   * A request is called after its Certificate and its number. The garbage collector removes it, but late after a restart of the API server;
   * until then cert-manager could not ask for a Certificate that is wanted again ("already exists", tried again after ever longer pauses).
   */
  async #requestsOf({ metadata: { labels, uid } }: StoredObject, signal: AbortSignal): Promise<StoredObject[]> {
    const labelSelector = `${LABELS.uid}=${labels?.[LABELS.uid]}`;
    const requests = await this.#kube.list('certificateRequest', { labelSelector, signal });
    return requests.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
  }
}

const KIND_NAMES: Readonly<Record<string, KindName>> = {
  Webspace: 'webspace',
  Service: 'service',
  EndpointSlice: 'endpointSlice',
  IngressRoute: 'ingressRoute',
  IngressRouteTCP: 'ingressRouteTcp',
  Certificate: 'certificate',
  Secret: 'secret',
};

function kindNameOf(object: StoredObject): KindName {
  const kind = KIND_NAMES[object.kind];
  if (!kind) throw new Error(`No objects of kind ${object.kind} belong to a webspace.`);
  return kind;
}
