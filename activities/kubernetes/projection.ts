import type { KindName, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { CLAIM_KINDS } from '#libs/domain/claims.js';
import { desiredObjects, labelsOf, type Withheld, webspaceSpec } from '#libs/domain/desired-objects.js';
import type { Platform } from '#libs/domain/platform.js';
import {
  adopted,
  type Condition,
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
    return { webspace, service, endpointSlice, ingressRoute, ingressRouteTcp };
  }

  /** Everything of ours at once, by webspace name. */
  async readAll(signal: AbortSignal): Promise<Map<string, ObservedObjects>> {
    const kinds = ['webspace', ...REBUILDABLE] as const;
    const lists = await Promise.all(kinds.map((kind) => this.#kube.list(kind, { labelSelector: LABELS.webspace, signal })));
    const all = new Map<string, Partial<Record<KindName, StoredObject>>>();
    kinds.forEach((kind, i) => {
      for (const object of lists[i] ?? []) all.set(object.metadata.name, { ...all.get(object.metadata.name), [kind]: object });
    });
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
    const fresh = { metadata: { name, labels: labelsOf(name, record.uid) }, spec: webspaceSpec(record, this.#platform, withheld) };
    try {
      return await this.#kube.create('webspace', fresh, { signal });
    } catch (error) {
      if (!isPlatformError(error, 'CONFLICT')) throw error;
    }
    const found = await this.#kube.get('webspace', name, { signal });
    if (uidOfObject(found) === record.uid) {
      const { uid, resourceVersion } = found.metadata;
      return this.#kube.apply('webspace', { ...fresh, metadata: { ...fresh.metadata, uid, resourceVersion } }, { signal });
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
          const found = objects[kind];
          const mine = found && uidOfObject(found) === uidOfObject(webspace);
          const resourceVersion = mine ? { resourceVersion: found.metadata.resourceVersion } : {};
          return this.#kube.apply(kind, { ...object, metadata: { ...object.metadata, ...resourceVersion } }, { signal });
        }),
        ...plan.remove.map((object) => this.#deleteObject(object, signal)),
      ]);
    }
    if (plan.status) await this.writeStatus(webspace, plan.status, signal);
  }

  async writePhase(webspace: StoredObject, phase: StatusChange['phase'], signal: AbortSignal): Promise<void> {
    const message = `An operation is under way.`;
    await this.writeStatus(
      webspace,
      { phase, condition: { type: 'Synced', status: 'Unknown', reason: 'OperationUnderWay', message } },
      signal,
    );
  }

  async writeStatus(webspace: StoredObject, change: StatusChange, signal: AbortSignal): Promise<void> {
    const status = (webspace['status'] ?? {}) as { lastUsed?: string; conditions?: Condition[] };
    const before = status.conditions?.find(({ type }) => type === change.condition.type);
    const lastTransitionTime = before?.status === change.condition.status ? before.lastTransitionTime : new Date().toISOString();
    const others = (status.conditions ?? []).filter(({ type }) => type !== change.condition.type);
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
          conditions: [...others, { ...change.condition, lastTransitionTime }],
        },
      },
      { subresource: 'status', signal },
    );
  }

  /** Leads visitors to the gateway (which boots); nothing else changes. */
  async routeToGateway(name: string, record: WebspaceRecord, objects: ObservedObjects, signal: AbortSignal): Promise<void> {
    const { webspace } = objects;
    if (!webspace || uidOfObject(webspace) !== record.uid) return;
    const withheld = withheldOf(webspace, record, this.#platform);
    const route = desiredObjects(name, record, 'gateway', this.#platform, withheld).filter(
      ({ kind }) => kind === 'ingressRoute' || kind === 'ingressRouteTcp',
    );
    await settleAll([
      ...route.map((object) => {
        const { kind, ...content } = adopted(object, webspace);
        return this.#kube.apply(kind, content, { signal });
      }),
      this.writePhase(webspace, 'stopping', signal),
    ]);
  }

  /** Takes a webspace's routes away. */
  async removeRoutes(name: string, uid: string, signal: AbortSignal): Promise<void> {
    await settleAll(
      (['ingressRoute', 'ingressRouteTcp'] as const).map(async (kind) => {
        const object = await this.#kube.find(kind, name, { signal });
        if (object && uidOfObject(object) === uid) await this.#deleteObject(object, signal);
      }),
    );
  }

  /** Removes every object of the uid but claims; gives how many it found. */
  async removeAll(uid: string, signal: AbortSignal): Promise<number> {
    const lists = await Promise.all(REBUILDABLE.map((kind) => this.#listOf(kind, uid, signal)));
    const webspaces = await this.#listOf('webspace', uid, signal);
    const owned = lists.flat();
    await settleAll(owned.map((object) => this.#deleteObject(object, signal)));
    await settleAll(webspaces.map((object) => this.#deleteObject(object, signal)));
    return owned.length + webspaces.length;
  }

  /** Names of all objects that carry the uid, claims included. */
  async search(uid: string, signal: AbortSignal): Promise<string[]> {
    const lists = await settleAll(['webspace' as const, ...REBUILDABLE, ...CLAIM_KINDS].map((kind) => this.#listOf(kind, uid, signal)));
    return lists.flat().map((object) => `${object.kind} ${object.metadata.name}`);
  }

  async #listOf(kind: KindName, uid: string, signal: AbortSignal): Promise<StoredObject[]> {
    return this.#kube.list(kind, { labelSelector: `${LABELS.uid}=${uid}`, signal });
  }

  async #deleteObject(object: StoredObject, signal: AbortSignal): Promise<void> {
    const kind = kindNameOf(object);
    await this.#kube.delete(kind, object.metadata.name, { uid: object.metadata.uid }, { signal });
  }
}

const KIND_NAMES: Readonly<Record<string, KindName>> = {
  Webspace: 'webspace',
  Service: 'service',
  EndpointSlice: 'endpointSlice',
  IngressRoute: 'ingressRoute',
  IngressRouteTCP: 'ingressRouteTcp',
};

function kindNameOf(object: StoredObject): KindName {
  const kind = KIND_NAMES[object.kind];
  if (!kind) throw new Error(`No objects of kind ${object.kind} belong to a webspace.`);
  return kind;
}
