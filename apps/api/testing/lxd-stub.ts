import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { LXD_STATUS, type LxdImage, type LxdInstance, type LxdInstanceState } from '#libs/lxd/types.js';

export interface LxdStub {
  readonly client: LxdClient;
  readonly instances: Map<string, LxdInstance>;
  readonly images: LxdImage[];
  /** Reads so far, as `instance ws-u12`. */
  readonly reads: string[];
  /** When set, every call fails with it. */
  failure: PlatformError | undefined;
}

/** The reads of LXD that the API makes, from a map. Anything else throws: the API must not do it. */
export function createLxdStub(): LxdStub {
  const instances = new Map<string, LxdInstance>();
  const images: LxdImage[] = [];
  const reads: string[] = [];
  const answer = async <T>(what: string, value: () => T): Promise<T> => {
    reads.push(what);
    if (stub.failure) throw stub.failure;
    return value();
  };
  const find = (name: string) => {
    const instance = instances.get(name);
    if (!instance) throw new PlatformError('NOT_FOUND', `Instance ${name} not found`);
    return instance;
  };
  const client = {
    instances: {
      get: (name: string) => answer(`instance ${name}`, () => ({ value: find(name), etag: '"1"' })),
      list: () => answer('instances', () => [...instances.values()]),
      state: (name: string) => answer(`state ${name}`, () => stateOf(find(name))),
    },
    images: { list: () => answer('images', () => images) },
    server: () => answer('server', () => ({ auth: 'trusted' })),
  } as unknown as LxdClient;
  const stub: LxdStub = { client, instances, images, reads, failure: undefined };
  return stub;
}

export function recordText(owner: { readonly id: string; readonly username: string }, changes: object = {}): string {
  return JSON.stringify({
    schema: 1,
    uid: 'c0ffee00-0000-8000-8000-000000000001',
    phase: 'ready',
    createdBy: 'create:x',
    owner,
    http: { port: 80, startupDelaySeconds: 3, sniPassthrough: false },
    domains: ['blog.example.com'],
    ports: [
      { protocol: 'tcp', external: 60022, internal: 22 },
      { protocol: 'udp', external: 60053, internal: 53 },
    ],
    network: { address: '10.77.1.12' },
    policy: { alwaysOn: false },
    image: { alias: 'hello', fingerprint: 'f'.repeat(64) },
    createdAt: '2026-01-02T03:04:05.000Z',
    ...changes,
  });
}

export function instanceOf(name: string, record: string | undefined, status: keyof typeof LXD_STATUS = 'stopped'): LxdInstance {
  return {
    name,
    status,
    status_code: LXD_STATUS[status],
    type: 'container',
    location: 'none',
    created_at: '2026-01-02T03:04:05Z',
    last_used_at: new Date(Date.now() - 60_000).toISOString(),
    profiles: ['default'],
    config: record === undefined ? {} : { [RECORD_KEY]: record },
    devices: {},
  };
}

function stateOf(instance: LxdInstance): LxdInstanceState {
  const running = instance.status_code === LXD_STATUS.running;
  const nic = {
    addresses: [{ family: 'inet', address: '10.77.1.12', netmask: '16', scope: 'global' }],
    counters: { bytes_received: 1, bytes_sent: 2, packets_received: 3, packets_sent: 4 },
    hwaddr: '00:16:3e:00:00:01',
    mtu: 1500,
    state: 'up',
    type: 'broadcast',
  };
  return {
    status: instance.status,
    status_code: instance.status_code,
    disk: { root: { usage: 1000 }, other: { usage: -1 } },
    memory: { usage: 4096, usage_peak: 0 },
    network: running ? { eth0: nic, lo: nic } : null,
    pid: running ? 4711 : 0,
    processes: running ? 3 : 0,
    cpu: { usage: 123 },
  };
}
