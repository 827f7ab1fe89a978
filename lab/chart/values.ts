import type { PlatformImages } from '../cluster/platform-images.js';
import type { Profile } from '../profile.js';
import { BASE_DOMAIN, LAN, ON_NODE, TRAEFIK } from './surroundings.js';

/** Of the member of LXD: less than that free of it counts as short. */
export const MEMBER_MEMORY = { limitBytes: 1280 << 20, minFreeBytes: 400 << 20 } as const;

/** One of each process but of LXD's members, on the node that has the images, and all containers on the members' network; the chart's defaults for all else. */
export function values({ network }: Profile, { repository, tag, temporal }: PlatformImages): object {
  const one = { replicas: 1 };
  return {
    image: { repository, tag },
    definitions: { install: false },
    platform: {
      baseDomain: BASE_DOMAIN,
      bridge: 'lxd-lan',
      addressRange: { from: '172.24.1.1', to: '172.24.191.254' },
      defaultTlsSecret: 'tls-sites',
    },
    lan: LAN,
    // A pod forwards as its node does; the lab's do not.
    router: { enabled: true, ...one, forwarding: 'init', config: { dns: { upstream: [network.nodes.host] } } },
    lxd8s: {
      enabled: true,
      ...one,
      onePerNode: false,
      lan: true,
      certificate: 'webspaces-lxd-cluster',
      data: { storageClass: 'manual' },
      copies: { storageClass: 'manual', accessMode: 'ReadWriteOnce' },
      graceSeconds: 30,
      host: `lxd.${BASE_DOMAIN}`,
      preseed: {
        networks: [],
        profiles: [
          { name: 'default', config: { 'limits.memory': '1GiB' }, devices: { root: { type: 'disk', pool: 'default', path: '/' } } },
        ],
      },
      config: { memory: { minFreeBytes: MEMBER_MEMORY.minFreeBytes } },
      resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: `${MEMBER_MEMORY.limitBytes}` } },
    },
    identity: {
      adapter: 'local',
      local: { keyFile: '/run/webspaces/identity/identity.key', usersFile: '/run/webspaces/identity/users.json' },
    },
    secrets: { identity: 'webspaces-identity' },
    temporal: { devServer: { enabled: true, image: temporal, storageClass: 'manual' } },
    staging: { accessMode: 'ReadWriteOnce', size: '8Gi', storageClass: 'manual' },
    traefik: { namespace: TRAEFIK.namespace, entryPoints: [`${TRAEFIK.name}.${TRAEFIK.namespace}.svc:${TRAEFIK.websecure}`] },
    api: { ...one, host: `api.${BASE_DOMAIN}`, tlsSecret: 'tls-sites' },
    // No look at what is used: the last start alone tells how long a webspace was not.
    worker: { ...one, config: { memoryStop: { enabled: true, everySeconds: 5 }, idleStop: { everySeconds: 86_400 } } },
    gateway: { ...one, lanAddress: '172.24.254.1$(INDEX)/16' },
    nodeSelector: ON_NODE,
  };
}
