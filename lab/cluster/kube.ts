import type { KubeClient } from '../kube-client.js';
import { waitFor } from '../wait.js';
import { CLUSTER } from './manifests.js';

/** The part of a pod that the lab looks at. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly {
      readonly name: string;
      readonly image: string;
      readonly env?: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly name: string; readonly ready: boolean; readonly restartCount: number }[];
  };
}

export interface StatefulSetObject {
  readonly spec: {
    readonly replicas: number;
    readonly podManagementPolicy: string;
    readonly updateStrategy: { readonly type: 'RollingUpdate' | 'OnDelete' };
  };
  readonly status: {
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly currentRevision: string;
    readonly updateRevision: string;
  };
}

export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && (status.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');

const NAMESPACE_PATH = `/api/v1/namespaces/${CLUSTER.namespace}`;
const STATEFUL_SET_PATH = `/apis/apps/v1/namespaces/${CLUSTER.namespace}/statefulsets/${CLUSTER.statefulSet}`;
const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  PersistentVolume: 'persistentvolumes',
  Service: 'services',
  ServiceAccount: 'serviceaccounts',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  StatefulSet: 'statefulsets',
  ConfigMap: 'configmaps',
  DaemonSet: 'daemonsets',
  Pod: 'pods',
  Webspace: 'webspaces',
};

/** The few requests of the cluster lab to Kubernetes. */
export class ClusterKube {
  constructor(private readonly admin: KubeClient) {}

  async pods(): Promise<Pod[]> {
    const list = await this.admin.get<{ items: Pod[] }>(`${NAMESPACE_PATH}/pods?labelSelector=app%3Dlxd`);
    return list?.items ?? [];
  }

  pod(name: string): Promise<Pod | undefined> {
    return this.admin.get<Pod>(`${NAMESPACE_PATH}/pods/${name}`);
  }

  statefulSet(): Promise<StatefulSetObject | undefined> {
    return this.admin.get<StatefulSetObject>(STATEFUL_SET_PATH);
  }

  get<T>(path: string): Promise<T | undefined> {
    return this.admin.get<T>(path);
  }

  /** Server-side apply as the lab; fields that somebody else wrote meanwhile are taken back. */
  async apply(objects: readonly object[]): Promise<void> {
    for (const object of objects) {
      const { apiVersion, kind, metadata } = object as { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } };
      const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      const place = metadata.namespace === undefined ? group : `${group}/namespaces/${metadata.namespace}`;
      await this.send('PATCH', `${place}/${PLURALS[kind]}/${metadata.name}?fieldManager=lab&force=true`, object);
    }
  }

  /** `orphan` leaves the pods as they are. */
  async deleteStatefulSet(propagationPolicy: 'Orphan' | 'Background'): Promise<void> {
    await this.remove(STATEFUL_SET_PATH, { propagationPolicy });
    const gone = async () => (await this.admin.get(STATEFUL_SET_PATH)) === undefined;
    await waitFor('the end of the StatefulSet', gone, { timeoutMs: 30_000, intervalMs: 100 });
  }

  /** Returns when Kubernetes has noted it; the pod goes in its own time, or within that many seconds. */
  deletePod(name: string, options: { readonly graceSeconds?: number } = {}): Promise<void> {
    const { graceSeconds } = options;
    return this.remove(`${NAMESPACE_PATH}/pods/${name}`, graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds });
  }

  deleteClaim(member: string): Promise<void> {
    return this.remove(`${NAMESPACE_PATH}/persistentvolumeclaims/state-${member}`, {});
  }

  deleteVolume(name: string): Promise<void> {
    return this.remove(`/api/v1/persistentvolumes/${name}`, {});
  }

  private async remove(path: string, options: object): Promise<void> {
    const { status, body } = await this.admin.request('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', ...options });
    if (status >= 300 && status !== 404) throw new Error(`Kubernetes answered ${status} to DELETE ${path}: ${JSON.stringify(body)}`);
  }

  private async send(method: 'PATCH', path: string, object: object): Promise<void> {
    const { status, body } = await this.admin.request(method, path, object, 'application/apply-patch+yaml');
    if (status >= 300) throw new Error(`Kubernetes answered ${status} to ${path}: ${JSON.stringify(body).slice(0, 400)}`);
  }
}
