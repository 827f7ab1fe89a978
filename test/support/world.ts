import type { Lab } from '#lab/harness.js';
import { KubeClient } from '#lab/kube-client.js';

/** What there is in LXD and Kubernetes, read without any code of the platform. */
export interface World {
  readonly instances: ReadonlyMap<string, Instance>;
  readonly objects: readonly WorldObject[];
}

export interface Instance {
  readonly name: string;
  readonly status: string;
  readonly config: Readonly<Record<string, string>>;
  readonly expanded_devices: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface WorldObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
}

const OURS = '/apis/webspaces.netsoc.ie/v1alpha1/namespaces/webspaces';
const PATHS: Readonly<Record<string, string>> = {
  Webspace: `${OURS}/webspaces`,
  Domain: `${OURS}/domains`,
  Address: `${OURS}/addresses`,
  PortForward: `${OURS}/portforwards`,
  Lease: '/apis/coordination.k8s.io/v1/namespaces/webspaces/leases',
  Service: '/api/v1/namespaces/webspaces/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/namespaces/webspaces/endpointslices',
  IngressRoute: '/apis/traefik.io/v1alpha1/namespaces/webspaces/ingressroutes',
  Certificate: '/apis/cert-manager.io/v1/namespaces/webspaces/certificates',
  Secret: '/api/v1/namespaces/webspaces/secrets',
  IngressRouteTCP: '/apis/traefik.io/v1alpha1/namespaces/webspaces/ingressroutetcps',
};

export async function readWorld(lab: Lab): Promise<World> {
  const kube = KubeClient.fromKubeconfig(lab.kubeconfigAdmin);
  const lists = await Promise.all(
    Object.entries(PATHS).map(async ([kind, path]) => {
      const list = await kube.get<{ items: Omit<WorldObject, 'kind'>[] }>(path);
      return (list?.items ?? []).map((item) => ({ ...item, kind }));
    }),
  );
  const instances = await lab.stack.lxd.client.request<Instance[]>('GET', '/1.0/instances?recursion=1');
  return { instances: new Map(instances.map((instance) => [instance.name, instance])), objects: lists.flat() };
}

export function find(world: World, kind: string, name: string): WorldObject | undefined {
  return world.objects.find((object) => object.kind === kind && object.metadata.name === name);
}
