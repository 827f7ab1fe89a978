import { API_GROUP, API_VERSION } from './webspaces-api.js';

export interface KindInfo {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Lists give nothing of it but the metadata. */
  readonly metadataOnly?: true;
  readonly clusterScoped?: true;
}

const ours = (kind: string, plural: string): KindInfo => ({ apiVersion: `${API_GROUP}/${API_VERSION}`, kind, plural });

const longhorn = (kind: string, plural: string): KindInfo => ({ apiVersion: 'longhorn.io/v1beta2', kind, plural });

/** The kinds this project reads or writes; namespaced unless they say otherwise. */
export const KINDS = {
  webspace: ours('Webspace', 'webspaces'),
  portForward: ours('PortForward', 'portforwards'),
  domain: ours('Domain', 'domains'),
  address: ours('Address', 'addresses'),
  lease: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' },
  configMap: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
  service: { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  endpointSlice: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', plural: 'endpointslices' },
  ingressRoute: { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', plural: 'ingressroutes' },
  ingressRouteTcp: { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRouteTCP', plural: 'ingressroutetcps' },
  certificate: { apiVersion: 'cert-manager.io/v1', kind: 'Certificate', plural: 'certificates' },
  certificateRequest: { apiVersion: 'cert-manager.io/v1', kind: 'CertificateRequest', plural: 'certificaterequests', metadataOnly: true },
  pod: { apiVersion: 'v1', kind: 'Pod', plural: 'pods', metadataOnly: true },
  /** As {@link KINDS.pod}, with all of it in lists. */
  wholePod: { apiVersion: 'v1', kind: 'Pod', plural: 'pods' },
  node: { apiVersion: 'v1', kind: 'Node', plural: 'nodes', clusterScoped: true },
  statefulSet: { apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets' },
  persistentVolumeClaim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims' },
  persistentVolume: { apiVersion: 'v1', kind: 'PersistentVolume', plural: 'persistentvolumes', clusterScoped: true },
  longhornVolume: longhorn('Volume', 'volumes'),
  longhornEngine: longhorn('Engine', 'engines'),
  longhornReplica: longhorn('Replica', 'replicas'),
  longhornNode: longhorn('Node', 'nodes'),
  secret: { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', metadataOnly: true },
  /** Created to be answered; nothing is kept. */
  tokenReview: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', plural: 'tokenreviews', clusterScoped: true },
} as const satisfies Record<string, KindInfo>;

export type KindName = keyof typeof KINDS;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Counts changes of the spec. */
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  /** Who has written which fields. */
  readonly managedFields?: readonly { readonly manager?: string; readonly operation?: string; readonly fieldsV1?: unknown }[];
}

/** Any object as the API server keeps it; the parts below `metadata` are typed where they are used. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** An object as it was read, so with the identity that preconditions need. */
export interface StoredObject extends KubeObject {
  readonly metadata: ObjectMeta & { readonly uid: string; readonly resourceVersion: string };
}

/** An object to be written; kind and namespace are the client's part. */
export interface NewObject {
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}
