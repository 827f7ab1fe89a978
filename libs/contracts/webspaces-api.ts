/** API group and version of our Kubernetes objects. */
export const API_GROUP = 'webspaces.netsoc.ie';
export const API_VERSION = 'v1alpha1';

export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  webspace: `${API_GROUP}/webspace`,
  uid: `${API_GROUP}/uid`,
} as const;
export const MANAGED_BY = 'webspaces';
export const FIELD_MANAGER = 'webspaces';

/** Key of the record in an LXD instance's config. */
export const RECORD_KEY = 'user.webspaces.record';
/** The Service a stopped webspace's route names. */
export const GATEWAY_SERVICE = 'webspaces-gateway';

export const PHASES = ['creating', 'stopped', 'starting', 'running', 'stopping', 'paused', 'unknown', 'deleting'] as const;
export type Phase = (typeof PHASES)[number];
