/** API group and version of our Kubernetes objects. */
export const API_GROUP = 'webspaces.netsoc.ie';
export const API_VERSION = 'v1alpha1';

export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  webspace: `${API_GROUP}/webspace`,
  uid: `${API_GROUP}/uid`,
  /** On a `Webspace` that has or had custom domains or forwarded ports: there may be objects of theirs. */
  further: `${API_GROUP}/further-objects`,
} as const;
export const MANAGED_BY = 'webspaces';
export const FIELD_MANAGER = 'webspaces';

/** Key of the record in an LXD instance's config. */
export const RECORD_KEY = 'user.webspaces.record';
/** Key of the original's record. An instance that has only this one is a webspace, too; it is left as it is when ours is written. */
export const LEGACY_RECORD_KEY = 'user._webspaced';
/** Value of the label `managedBy` on the original's Kubernetes objects. */
export const LEGACY_MANAGED_BY = 'webspaced';
/** Label of the pod that forwards ports just now, the router's or the gateway's own: what the Services of forwarded ports select. */
export const PORTS_GATEWAY = { [`${API_GROUP}/ports`]: 'active' } as const;
/** The Service a stopped webspace's route names. */
export const GATEWAY_SERVICE = 'webspaces-gateway';

export const PHASES = ['creating', 'stopped', 'starting', 'running', 'stopping', 'paused', 'unknown', 'deleting'] as const;
export type Phase = (typeof PHASES)[number];
