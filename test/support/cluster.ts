import type { Lab } from '#lab/harness.js';
import { KubeClient } from '#lab/kube-client.js';
import { NAMESPACE } from '#lab/profile.js';
import { KINDS, type StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';

const PATHS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.values(KINDS).map(({ apiVersion, plural }) => [
    plural,
    `/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}/namespaces/${NAMESPACE}/${plural}`,
  ]),
);

export const CLAIMS = ['domains', 'addresses', 'portforwards'] as const;
export const ROUTES = ['ingressroutes', 'ingressroutetcps'] as const;
const OF_A_WEBSPACE = ['webspaces', 'services', 'endpointslices', ...ROUTES, ...CLAIMS] as const;
export type Plural = (typeof OF_A_WEBSPACE)[number] | 'leases' | 'configmaps';

interface Status {
  readonly phase?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[];
}

/** Kubernetes as an administrator sees it. */
export class Cluster {
  readonly #client: KubeClient;

  constructor(lab: Lab) {
    this.#client = KubeClient.fromKubeconfig(lab.kubeconfigAdmin);
  }

  async list(plural: Plural, selector: string = LABELS.webspace): Promise<StoredObject[]> {
    const found = await this.#client.get<{ items: StoredObject[] }>(`${PATHS[plural]}?labelSelector=${encodeURIComponent(selector)}`);
    return found?.items ?? [];
  }

  find(plural: Plural, name: string): Promise<StoredObject | undefined> {
    return this.#client.get<StoredObject>(`${PATHS[plural]}/${name}`);
  }

  async has(plural: Plural, name: string): Promise<boolean> {
    return (await this.find(plural, name)) !== undefined;
  }

  async remove(plural: Plural, name: string): Promise<void> {
    const { status } = await this.#client.request('DELETE', `${PATHS[plural]}/${name}`);
    if (status >= 300 && status !== 404) throw new Error(`Kubernetes answered ${status} to the removal of ${plural} ${name}`);
  }

  async create(plural: Plural, object: { readonly metadata: { readonly name: string }; readonly [field: string]: unknown }): Promise<void> {
    const info = Object.values(KINDS).find((kind) => kind.plural === plural);
    const body = { apiVersion: info?.apiVersion, kind: info?.kind, ...object };
    const { status } = await this.#client.request('POST', PATHS[plural] ?? '', body);
    if (status !== 201) throw new Error(`Kubernetes answered ${status} to the creation of ${plural} ${object.metadata.name}`);
  }

  /** Takes away every object of one webspace, or of all of them and of the installation; as by hand, so without any order. */
  async removeEverything(name?: string): Promise<number> {
    const selector = name === undefined ? LABELS.webspace : `${LABELS.webspace}=${name}`;
    let removed = 0;
    for (const plural of [...OF_A_WEBSPACE, 'leases'] as const) {
      for (const object of await this.list(plural, selector)) {
        await this.remove(plural, object.metadata.name);
        removed++;
      }
    }
    if (name !== undefined) return removed;
    for (const plural of ['configmaps', 'addresses'] as const) {
      for (const object of await this.list(plural, `${LABELS.managedBy}=webspaces`)) {
        await this.remove(plural, object.metadata.name);
        removed++;
      }
    }
    return removed;
  }

  async status(name: string): Promise<Status> {
    return ((await this.find('webspaces', name))?.['status'] ?? {}) as Status;
  }

  async condition(name: string, type = 'Synced') {
    return (await this.status(name)).conditions?.find((condition) => condition.type === type);
  }

  /** The Service that visitors of the webspace are led to. */
  async target(name: string): Promise<string | undefined> {
    const route = await this.find('ingressroutes', name);
    const spec = route?.['spec'] as { routes: { services: { name: string }[] }[] } | undefined;
    return spec?.routes[0]?.services[0]?.name;
  }

  /** `plural/name` → resourceVersion of every route and claim, of these webspaces only when some are named. */
  async versions(names?: readonly string[]): Promise<Map<string, string>> {
    const lists = await Promise.all([...ROUTES, 'services' as const, 'endpointslices' as const, ...CLAIMS].map(async (plural) => {
      const objects = await this.list(plural);
      return objects
        .filter((object) => names === undefined || names.includes(object.metadata.labels?.[LABELS.webspace] ?? ''))
        .map((object) => [`${plural}/${object.metadata.name}`, object.metadata.resourceVersion] as const);
    }));
    return new Map(lists.flat());
  }

  /** `plural/name` → uid of the webspace that holds the claim. */
  async owners(): Promise<Map<string, string>> {
    const lists = await Promise.all(CLAIMS.map(async (plural) => {
      const objects = await this.list(plural);
      return objects.map((object) => [`${plural}/${object.metadata.name}`, (object['spec'] as { uid?: string }).uid ?? ''] as const);
    }));
    return new Map(lists.flat());
  }

  /** Everything that belongs to webspaces: objects, claims that somebody holds, locks that somebody holds. */
  async everything(): Promise<string[]> {
    const lists = await Promise.all(OF_A_WEBSPACE.map(async (plural) => (await this.list(plural)).map((object) => `${plural}/${object.metadata.name}`)));
    const held = (await this.list('leases')).filter((lease) => (lease['spec'] as { holderIdentity?: string }).holderIdentity);
    return [...lists.flat(), ...held.map((lease) => `leases/${lease.metadata.name}`)].sort();
  }
}
