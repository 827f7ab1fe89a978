import type { Lab } from '#lab/harness.js';
import { NAMESPACE } from '#lab/profile.js';
import type { KindName, NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { uidOfObject } from '#libs/domain/projection.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';

export const CLAIMS = ['domain', 'address', 'portForward'] as const satisfies readonly KindName[];
const ROUTES = ['ingressRoute', 'ingressRouteTcp', 'service', 'endpointSlice'] as const satisfies readonly KindName[];
/** By its creation an admin says yes to a removal that is too large for a sweep alone. */
export const REMOVALS_APPROVED = 'sweep-removals-approved';
const OF_A_WEBSPACE = ['webspace', ...ROUTES, 'certificate', 'secret', ...CLAIMS] as const;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** Kubernetes as an administrator sees it. */
export class Cluster {
  readonly #kube: KubernetesClient;

  constructor(lab: Lab) {
    this.#kube = new KubernetesClient({ kubeconfig: lab.kubeconfigAdmin, namespace: NAMESPACE });
  }

  list(kind: KindName, labelSelector: string = LABELS.webspace): Promise<StoredObject[]> {
    return this.#kube.list(kind, { labelSelector });
  }

  find(kind: KindName, name: string): Promise<StoredObject | undefined> {
    return this.#kube.find(kind, name);
  }

  async has(kind: KindName, name: string): Promise<boolean> {
    return (await this.find(kind, name)) !== undefined;
  }

  remove(kind: KindName, name: string): Promise<boolean> {
    return this.#kube.delete(kind, name, {});
  }

  create(kind: KindName, object: NewObject): Promise<StoredObject> {
    return this.#kube.create(kind, object);
  }

  async approveRemovals(upTo: number): Promise<void> {
    await this.remove('configMap', REMOVALS_APPROVED);
    await this.create('configMap', { metadata: { name: REMOVALS_APPROVED }, data: { upTo: String(upTo) } });
  }

  /** Takes away every object of one webspace, or of all of them and of the installation; as by hand. The garbage collector may be quicker with what a `Webspace` owns. */
  async removeEverything(name?: string): Promise<number> {
    const selector = name === undefined ? `${LABELS.managedBy}=webspaces` : `${LABELS.webspace}=${name}`;
    const kinds: readonly KindName[] = [...OF_A_WEBSPACE, 'lease', ...(name === undefined ? (['configMap'] as const) : [])];
    let removed = 0;
    for (const kind of kinds) {
      for (const object of await this.list(kind, selector)) if (await this.remove(kind, object.metadata.name)) removed++;
    }
    return removed;
  }

  async phase(name: string): Promise<string | undefined> {
    return ((await this.find('webspace', name))?.['status'] as { phase?: string } | undefined)?.phase;
  }

  async condition(name: string, type = 'Synced'): Promise<Condition | undefined> {
    const status = (await this.find('webspace', name))?.['status'] as { conditions?: Condition[] } | undefined;
    return status?.conditions?.find((condition) => condition.type === type);
  }

  /** The Service that visitors of the webspace are led to. */
  async target(name: string): Promise<string | undefined> {
    const spec = (await this.find('ingressRoute', name))?.['spec'] as { routes: { services: { name: string }[] }[] } | undefined;
    return spec?.routes[0]?.services[0]?.name;
  }

  /** The host names that the webspace's routes answer to, in the order in which the `Webspace` names them. */
  async hosts(name: string): Promise<string[]> {
    const routes = await this.list('ingressRoute', `${LABELS.webspace}=${name}`);
    const matches = routes.map((route) => (route['spec'] as { routes: { match: string }[] }).routes[0]?.match ?? '');
    const hosts = matches.flatMap((match) => [...match.matchAll(/`([^`]+)`/g)].map(([, host]) => host ?? ''));
    const named = ((await this.find('webspace', name))?.['spec'] as { hosts?: string[] } | undefined)?.hosts ?? [];
    return hosts.sort((one, other) => named.indexOf(one) - named.indexOf(other));
  }

  /** `kind/name` → resourceVersion of every route and claim: of these webspaces only when some are named. */
  async versions(names?: readonly string[]): Promise<Record<string, string>> {
    const objects = (await this.#ofKinds([...ROUTES, ...CLAIMS])).filter(
      ({ metadata }) => names === undefined || names.includes(metadata.labels?.[LABELS.webspace] ?? ''),
    );
    return Object.fromEntries(objects.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.resourceVersion]));
  }

  /** `kind/name` → uid of the webspace that holds the claim. */
  async owners(): Promise<Record<string, string | undefined>> {
    const claims = await this.#ofKinds(CLAIMS);
    return Object.fromEntries(claims.map((object) => [`${object.kind}/${object.metadata.name}`, uidOfObject(object)]));
  }

  /** Everything that belongs to webspaces: objects, claims that somebody holds, locks that somebody holds. */
  async everything(): Promise<string[]> {
    const leases = (await this.list('lease')).filter((lease) => (lease['spec'] as { holderIdentity?: string }).holderIdentity);
    const objects = [...(await this.#ofKinds(OF_A_WEBSPACE)), ...leases];
    return objects.map(({ kind, metadata }) => `${kind}/${metadata.name} of ${metadata.labels?.[LABELS.webspace]}`).sort();
  }

  close(): Promise<void> {
    return this.#kube.close();
  }

  async #ofKinds(kinds: readonly KindName[]): Promise<StoredObject[]> {
    return (await Promise.all(kinds.map((kind) => this.list(kind)))).flat();
  }
}
