/** The wire shapes of LXD's REST API that this project reads, as plain types; `schemas.ts` parses them at the edge. */

export const LXD_STATUS = { running: 103, stopped: 102, frozen: 110, error: 112 } as const;

export interface LxdDevice {
  readonly [key: string]: string;
}

export interface LxdInstance {
  readonly name: string;
  readonly status: string;
  readonly status_code: number;
  readonly type: string;
  readonly location: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly profiles: readonly string[];
  readonly config: Readonly<Record<string, string>>;
  readonly devices: Readonly<Record<string, LxdDevice>>;
  readonly expanded_devices?: Readonly<Record<string, LxdDevice>>;
}

export interface LxdNetworkAddress {
  readonly family: string;
  readonly address: string;
  readonly netmask: string;
  readonly scope: string;
}

export interface LxdInterfaceState {
  readonly addresses: readonly LxdNetworkAddress[];
  readonly counters: {
    readonly bytes_received: number;
    readonly bytes_sent: number;
    readonly packets_received: number;
    readonly packets_sent: number;
  };
  readonly hwaddr: string;
  readonly mtu: number;
  readonly state: string;
  readonly type: string;
}

export interface LxdInstanceState {
  readonly status: string;
  readonly status_code: number;
  readonly disk: Readonly<Record<string, { readonly usage: number }>>;
  readonly memory: { readonly usage: number; readonly usage_peak: number };
  readonly network: Readonly<Record<string, LxdInterfaceState>> | null;
  readonly pid: number;
  readonly processes: number;
  readonly cpu: { readonly usage: number };
}

export interface LxdImage {
  readonly fingerprint: string;
  readonly aliases: readonly { readonly name: string; readonly description: string }[];
  readonly properties: Readonly<Record<string, string>>;
  readonly size: number;
  readonly architecture: string;
  readonly type: string;
  /** LXD fetched it of its own accord, for an instance made directly from a remote. */
  readonly cached: boolean;
  readonly uploaded_at: string;
  /** When an instance was made of it last; the year 1 for never. */
  readonly last_used_at: string;
}

/** Bytes of a storage pool, of one member in a cluster. */
export interface LxdPoolSpace {
  readonly total: number;
  readonly used: number;
}

export interface LxdServer {
  readonly auth: string;
  readonly api_extensions: readonly string[];
  /** Of the whole cluster and of the member that answers; a secret is only told to be set. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly environment: {
    readonly certificate_fingerprint: string;
    readonly server_name: string;
    readonly server_version: string;
    readonly server_clustered: boolean;
    /** As the kernel calls them (`x86_64`), the machine's own first. */
    readonly architectures: readonly string[];
  };
}

export interface LxdClusterMember {
  readonly server_name: string;
  readonly url: string;
  readonly status: string;
  readonly message: string;
  readonly roles: readonly string[];
  readonly architecture: string;
}

export interface LxdEvent {
  readonly type: string;
  readonly timestamp: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly location?: string;
  readonly project?: string;
}

export interface Versioned<T> {
  readonly value: T;
  /** As LXD sent it, quotes included; to be sent back in `If-Match`. */
  readonly etag: string;
}
