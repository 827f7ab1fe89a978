import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { Access } from './credentials.js';

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface KubernetesOptions extends Access {
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
