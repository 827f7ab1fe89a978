import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface KubernetesOptions {
  /** A kubeconfig file; the pod's service account when absent. */
  readonly kubeconfig?: string | undefined;
  readonly namespace: string;
  /** Deadline of one request, 10 s unless told. No request of ours waits on the server's side. */
  readonly timeoutMs?: number;
  /** Whose the written fields are; the platform's unless told. */
  readonly fieldManager?: string;
}

export interface WatchChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: StoredObject;
}
