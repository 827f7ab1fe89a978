import { join } from 'node:path';

/** Labs that may run side by side on one machine; the index decides every port, address and name. */
export const PROFILES = { dev: 0, test: 1, bench: 2, crash: 3 } as const;
export type ProfileName = keyof typeof PROFILES;

export interface Ports {
  readonly web: number;
  readonly websecure: number;
  readonly traefik: number;
  readonly api: number;
  readonly worker: number;
  readonly gateway: number;
  readonly gatewayHttp: number;
  readonly gatewayTls: number;
  readonly temporal: number;
  readonly temporalUi: number;
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly kubernetes: number;
  readonly controllerManager: number;
  readonly scheduler: number;
  readonly dns: number;
  readonly certManager: number;
  /** The simulator of GitHub, and where it keeps its files. */
  readonly github: number;
  readonly githubStorage: number;
  readonly octolxd: number;
  /** Whether the simulator of Longhorn is well. */
  readonly longhorn: number;
  /** In the router's network namespace. */
  readonly gatewayPorts: number;
}

export interface Network {
  readonly containerSubnet: string;
  readonly bridge: string;
  readonly bridgeAddress: string;
  /** LXD gives leases of its own accord only from here. */
  readonly dhcpRange: string;
  /** The platform gives every webspace a fixed address from here. */
  readonly staticRange: { readonly from: string; readonly to: string };
  readonly linkSubnet: string;
  readonly hostLink: { readonly device: string; readonly host: string; readonly router: string };
  readonly lxdLink: { readonly router: string; readonly lxd: string };
  readonly routerNamespace: string;
  readonly serviceSubnet: string;
  /** Of real nodes, where the lab has some: they and the host on one bridge. */
  readonly nodes: { readonly bridge: string; readonly host: string; readonly subnet: string; readonly podSubnet: string };
}

export interface Paths {
  readonly state: string;
  readonly logs: string;
  readonly processes: string;
  readonly pki: string;
  readonly caFile: string;
  readonly sandbox: string;
  readonly lxd: string;
  readonly lxdSocket: string;
  readonly etcd: string;
  readonly temporalDatabase: string;
  readonly kubeconfigs: string;
  readonly apps: string;
  readonly tokens: string;
  readonly dnsNames: string;
  /** Real nodes and the volumes of their pods. */
  readonly cluster: string;
  /** What the simulator of GitHub serves. */
  readonly github: string;
  /** Configuration of `lxc` with the lab's image server as a remote. */
  readonly lxcConfig: string;
  /** Images on their way into LXD. */
  readonly staging: string;
}

export interface Profile {
  readonly name: string;
  readonly index: number;
  readonly ports: Ports;
  readonly network: Network;
  readonly paths: Paths;
  readonly sandboxName: string;
  readonly baseDomain: string;
  readonly urls: {
    readonly api: string;
    readonly swagger: string;
    readonly temporalUi: string;
    readonly traefik: string;
    readonly kubernetes: string;
  };
}

export const STATE_ROOT = '/var/lib/webspaces-lab';
/** Every Kubernetes object of the platform is in this namespace. */
export const NAMESPACE = 'webspaces';
/** Cert-manager itself, and the authority that signs for it. */
export const CERT_MANAGER_NAMESPACE = 'cert-manager';
/** The ClusterIssuer that signs with the lab's own authority. */
export const ISSUER = { kind: 'ClusterIssuer', name: 'lab' } as const;
export const BASE_DOMAIN = 'ws.localhost';

export function profileNamed(name: ProfileName): Profile {
  return createProfile({ name, index: PROFILES[name] });
}

/** `dev`, or `scratch:7` for a lab of one's own beside the usual ones. */
export function parseProfile(text: string): Profile {
  if (text in PROFILES) return profileNamed(text as ProfileName);
  const [, name, index] = /^([a-z][a-z0-9]*):(\d)$/.exec(text) ?? [];
  const taken = Object.values(PROFILES).some((number) => number === Number(index));
  if (name === undefined || taken)
    throw new RangeError(`a lab is one of ${Object.keys(PROFILES).join(', ')}, or <name>:<index> with a free index up to 9`);
  return createProfile({ name, index: Number(index) });
}

/** Every port, address, name and path of one lab. Unix sockets limit paths to 108 bytes, hence the short state folder. */
export function createProfile({ name, index }: { name: string; index: number }): Profile {
  if (!/^[a-z][a-z0-9]{0,11}$/.test(name)) throw new RangeError(`a lab's name is 1 to 12 of a-z and 0-9, not "${name}"`);
  if (!Number.isInteger(index) || index < 0 || index > 9) throw new RangeError(`a lab's index is 0 to 9, not ${index}`);
  const ports = portsAt(20_000 + index * 1_000);
  return {
    name,
    index,
    ports,
    network: networkAt(index, name),
    paths: pathsIn(join(STATE_ROOT, name)),
    sandboxName: `lab-${name}`,
    baseDomain: BASE_DOMAIN,
    urls: {
      api: `http://127.0.0.1:${ports.api}`,
      swagger: `http://127.0.0.1:${ports.api}/swagger`,
      temporalUi: `http://127.0.0.1:${ports.temporalUi}`,
      traefik: `http://127.0.0.1:${ports.traefik}`,
      kubernetes: `https://127.0.0.1:${ports.kubernetes}`,
    },
  };
}

/** Where a browser finds the site of a user; names below `localhost` always mean this machine. */
export function siteUrl(profile: Profile, username: string): string {
  return `https://${username}.${profile.baseDomain}:${profile.ports.websecure}`;
}

function portsAt(base: number): Ports {
  return {
    web: base + 80,
    websecure: base + 443,
    traefik: base + 90,
    api: base + 300,
    worker: base + 310,
    gateway: base + 320,
    gatewayHttp: base + 321,
    gatewayTls: base + 322,
    temporal: base + 233,
    temporalUi: base + 234,
    etcd: base + 379,
    etcdPeer: base + 380,
    kubernetes: base + 643,
    controllerManager: base + 257,
    scheduler: base + 259,
    dns: base + 53,
    certManager: base + 403,
    gatewayPorts: base + 330,
    github: base + 340,
    githubStorage: base + 341,
    octolxd: base + 350,
    longhorn: base + 360,
  };
}

function networkAt(index: number, name: string): Network {
  const containers = `10.${77 + index}`;
  const link = `10.76.${index}`;
  return {
    containerSubnet: `${containers}.0.0/16`,
    bridge: 'lxdbr0',
    bridgeAddress: `${containers}.0.1/16`,
    dhcpRange: `${containers}.0.2-${containers}.127.254`,
    staticRange: { from: `${containers}.128.0`, to: `${containers}.255.254` },
    linkSubnet: `${link}.0/29`,
    hostLink: { device: `wslab${index}`, host: `${link}.1`, router: `${link}.2` },
    lxdLink: { router: `${link}.5`, lxd: `${link}.6` },
    routerNamespace: `webspaces-${name}-router`,
    serviceSubnet: '10.96.0.0/16',
    nodes: { bridge: `wsnodes${index}`, host: `10.75.${index}.1`, subnet: `10.75.${index}.0/24`, podSubnet: `10.${60 + index}.0.0/16` },
  };
}

function pathsIn(state: string): Paths {
  return {
    state,
    logs: join(state, 'logs'),
    processes: join(state, 'processes'),
    pki: join(state, 'pki'),
    caFile: join(state, 'pki', 'ca.crt'),
    sandbox: join(state, 'sandbox'),
    lxd: join(state, 'lxd'),
    lxdSocket: join(state, 'lxd', 'unix.socket'),
    etcd: join(state, 'etcd'),
    temporalDatabase: join(state, 'temporal.db'),
    kubeconfigs: join(state, 'kubeconfigs'),
    apps: join(state, 'apps'),
    tokens: join(state, 'tokens'),
    dnsNames: join(state, 'dns.json'),
    cluster: join(state, 'cluster'),
    github: join(state, 'github'),
    lxcConfig: join(state, 'lxc'),
    staging: join(state, 'staging'),
  };
}
