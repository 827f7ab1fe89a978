import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { LxdDevice, LxdImage, LxdInstance, LxdInstanceState } from '#libs/lxd/types.js';

export interface DoubleFile {
  readonly type: 'file' | 'directory' | 'symlink';
  content: Buffer;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export type Busy = 'create' | 'start' | 'stop' | 'restart' | 'delete';

/** An instance of the double; a test may look at it and change it. */
export interface DoubleInstance {
  readonly name: string;
  status: 'Running' | 'Stopped' | 'Frozen';
  config: Record<string, string>;
  devices: Record<string, LxdDevice>;
  profiles: string[];
  readonly createdAt: string;
  lastUsedAt: string;
  location: string;
  /** The operation that holds it. */
  busy: { readonly kind: Busy; readonly ended: Promise<void> } | undefined;
  /** Its creation was cut off by a restart of the daemon. */
  halfMade: boolean;
  /** Its init does not react to a graceful stop. */
  ignoresShutdown: boolean;
  readonly files: Map<string, DoubleFile>;
  consoleLog: Buffer | undefined;
  readonly logs: Map<string, Buffer>;
  /** Address of eth0 while running; that of the device when it has one. */
  address: string;
}

export type DoubleImage = LxdImage & { aliases: { name: string; description: string }[]; properties: Record<string, string> };

const DESCRIBED = { os: 'busybox', release: 'tiny', architecture: 'amd64', description: 'Image of the double' };

const STATUS_CODES = { Running: 103, Stopped: 102, Frozen: 110 } as const;
const NEVER = '1970-01-01T00:00:00Z';
export const PROFILE_DEVICES = {
  root: { type: 'disk', pool: 'default', path: '/' },
  eth0: { type: 'nic', network: 'lxdbr0', name: 'eth0' },
} as const satisfies Record<string, LxdDevice>;

let lastAddress = 256;

export function newInstance(name: string, given: Partial<DoubleInstance> = {}): DoubleInstance {
  const folder = (): DoubleFile => ({ type: 'directory', content: Buffer.alloc(0), uid: 0, gid: 0, mode: 0o755 });
  const files = new Map<string, DoubleFile>(['/', '/root', '/etc', '/tmp', '/var', '/bin', '/sbin'].map((path) => [path, folder()]));
  files.set('/sbin/init', { ...folder(), type: 'file', content: Buffer.from('#!/bin/sh\n'), mode: 0o755 });
  files.set('/etc/hostname', { ...folder(), type: 'file', content: Buffer.from(`${name}\n`), mode: 0o644 });
  lastAddress += 1;
  return {
    name,
    status: 'Stopped',
    config: {},
    devices: {},
    profiles: ['default'],
    createdAt: new Date().toISOString(),
    lastUsedAt: NEVER,
    location: 'none',
    busy: undefined,
    halfMade: false,
    ignoresShutdown: false,
    files,
    consoleLog: undefined,
    logs: new Map([['lxc.conf', Buffer.from('')]]),
    address: `10.77.${lastAddress >> 8}.${lastAddress & 255}`,
    ...given,
  };
}

/** What an image and LXD itself put into the config of a new instance; `volatile.apply_template` comes last (LXD 5.0.2, tried). */
export function newVolatile(image: LxdImage): Record<string, string> {
  const properties = Object.entries(image.properties).map(([key, value]) => [`image.${key}`, value]);
  return {
    ...Object.fromEntries(properties),
    'volatile.base_image': image.fingerprint,
    'volatile.cloud-init.instance-id': randomUUID(),
    'volatile.eth0.hwaddr': `00:16:3e:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
    'volatile.idmap.base': '0',
    'volatile.last_state.idmap': '[]',
    'volatile.uuid': randomUUID(),
  };
}

export function newImage(alias: string | undefined, given: Partial<LxdImage> = {}): DoubleImage {
  return {
    fingerprint: createHash('sha256')
      .update(`image ${alias} ${JSON.stringify(given)}`)
      .digest('hex'),
    size: 930_396,
    architecture: 'x86_64',
    type: 'container',
    cached: false,
    uploaded_at: new Date().toISOString(),
    last_used_at: '0001-01-01T00:00:00Z',
    ...given,
    properties: { ...(given.properties ?? DESCRIBED) },
    aliases: given.aliases?.map((each) => ({ ...each })) ?? (alias === undefined ? [] : [{ name: alias, description: '' }]),
  };
}

export function instanceToWire(instance: DoubleInstance): LxdInstance & Record<string, unknown> {
  const { name, status, config, devices, profiles, location } = instance;
  return {
    name,
    status,
    status_code: STATUS_CODES[status],
    type: 'container',
    architecture: 'x86_64',
    location,
    project: 'default',
    created_at: instance.createdAt,
    last_used_at: instance.lastUsedAt,
    profiles,
    config,
    devices,
    expanded_config: config,
    expanded_devices: { ...PROFILE_DEVICES, ...devices },
    ephemeral: false,
    stateful: false,
    description: '',
  };
}

/** An instance whose member is unreachable, as a list shows it. */
export function unreachableToWire({ name, location }: DoubleInstance): Record<string, unknown> {
  const zero = '0001-01-01T00:00:00Z';
  const nothing = { config: null, devices: null, expanded_config: null, expanded_devices: null, profiles: null };
  return {
    ...nothing,
    name,
    location,
    status: 'Error',
    status_code: 112,
    type: 'container',
    created_at: zero,
    last_used_at: zero,
    architecture: '',
  };
}

export function etagOf({ config, devices, profiles }: DoubleInstance): string {
  return createHash('sha256')
    .update(JSON.stringify([config, devices, profiles]))
    .digest('hex');
}

export function stateToWire(instance: DoubleInstance): LxdInstanceState {
  const on = instance.status !== 'Stopped';
  const counters = { bytes_received: 0, bytes_sent: 0, packets_received: 0, packets_sent: 0 };
  const device = instance.devices['eth0']?.['ipv4.address'] ?? instance.address;
  const address = (ip: string, netmask: string, scope: string) => ({ family: 'inet', address: ip, netmask, scope });
  const network = {
    eth0: {
      addresses: [address(device, '16', 'global')],
      counters,
      hwaddr: '00:16:3e:00:00:01',
      mtu: 1500,
      state: 'up',
      type: 'broadcast',
    },
    lo: { addresses: [address('127.0.0.1', '8', 'local')], counters, hwaddr: '', mtu: 65536, state: 'up', type: 'loopback' },
  };
  return {
    status: instance.status,
    status_code: STATUS_CODES[instance.status],
    disk: {},
    memory: { usage: on ? 2_060_288 : 0, usage_peak: on ? 2_174_976 : 0 },
    network: on ? network : null,
    pid: on ? 4711 : 0,
    processes: on ? 5 : 0,
    cpu: { usage: on ? 11_711_453 : 0 },
  };
}
