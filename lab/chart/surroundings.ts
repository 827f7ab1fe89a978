import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../profile.js';

/** Where the lab installs the chart. */
export const NAMESPACE = 'platform';
export const BASE_DOMAIN = 'chart.test';
/** `lan` is its address on the members' network. */
export const TRAEFIK = { name: 'traefik', namespace: 'traefik', web: 8000, websecure: 8443, lxd: 8444, lan: '172.24.254.20' } as const;
/** Who is on the members' network, and where that is. */
export const LAN = {
  services: ['webspaces-router', 'webspaces-gateway', 'lxd', `${TRAEFIK.namespace}/${TRAEFIK.name}`],
  ipv4: { subnet: '172.24.0.0/16', router: '172.24.254.1' },
} as const;
/** The only one with the images of the platform. */
export const NODE = 1;
export const ON_NODE = { 'kubernetes.io/hostname': `node-${NODE}` };
/** Selects what {@link volume} makes. */
export const VOLUMES = 'app=webspaces-chart';
/** Whom the chart's pods run as. */
const USER = 1000;

export function namespaces(): object[] {
  return [NAMESPACE, TRAEFIK.namespace].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
}

/** Where a volume of the chart is on this machine. */
export function volumeFolder({ paths }: Profile, claim: string): string {
  return join(paths.cluster, 'chart', claim);
}

/** What a claim of the chart is bound to: a folder of the lab that the pods may write to. */
export function volume(profile: Profile, claim: string, storage: string): object {
  const path = volumeFolder(profile, claim);
  mkdirSync(path, { recursive: true });
  // Kubelet does not give a folder of its node to a pod's group.
  chownSync(path, USER, USER);
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${profile.name}-chart-${claim}`, labels: { app: VOLUMES.slice('app='.length) } },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'manual',
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path, type: 'Directory' },
      claimRef: { namespace: NAMESPACE, name: claim },
    },
  };
}
