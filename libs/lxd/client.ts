import type { LxdCertificates, LxdConsole, LxdExec, LxdFiles, LxdImageChanges, LxdLogs, LxdStorage } from './client-parts.js';
import type { LxdClusterMember, LxdDevice, LxdEvent, LxdImage, LxdInstance, LxdInstanceState, LxdServer, Versioned } from './types.js';

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Deadline of this one request; the client's default is above LXD's own time-outs. */
  readonly timeoutMs?: number;
}

/** An operation under way in LXD. Its URL is always built from its id: `operation` in an answer may carry `?project=`. */
export interface LxdOperation {
  readonly id: string;
  /**
   * Waits until the operation ended well and returns its metadata. Polls LXD's wait in slices, calling `onSlice` between them (a heartbeat).
   * Throws OPERATION_FAILED, or the code that the reasons table gives LXD's text; UNAVAILABLE with `details.lost` when LXD no longer knows the id.
   */
  wait(options?: CallOptions & { readonly onSlice?: () => void }): Promise<Record<string, unknown>>;
  /** Asks LXD to cancel it; false when LXD says it cannot be cancelled or it is gone. */
  cancel(options?: CallOptions): Promise<boolean>;
}

export interface OperationSummary {
  readonly id: string;
  readonly description: string;
  readonly status: string;
  readonly statusCode: number;
  /** Names of the instances it works on. */
  readonly instances: readonly string[];
}

export interface CreateInstanceRequest {
  readonly name: string;
  readonly fingerprint: string;
  /** Member of the cluster; LXD decides when absent. */
  readonly target?: string | undefined;
  readonly profiles: readonly string[];
  readonly config: Readonly<Record<string, string>>;
  readonly devices: Readonly<Record<string, LxdDevice>>;
}

export type StateAction = 'start' | 'stop' | 'restart' | 'freeze' | 'unfreeze';

export interface PatchOptions extends CallOptions {
  readonly etag?: string;
  readonly devices?: Readonly<Record<string, LxdDevice>>;
}

export interface LxdInstances {
  get(name: string, options?: CallOptions): Promise<Versioned<LxdInstance>>;
  /** All instances of the project with their config; `state` is not included. */
  list(options?: CallOptions): Promise<LxdInstance[]>;
  create(request: CreateInstanceRequest, options?: CallOptions): Promise<LxdOperation>;
  /** Changes only the given config keys, and devices. With `etag`, STALE when the instance changed since it was read. */
  patchConfig(name: string, config: Readonly<Record<string, string>>, options?: PatchOptions): Promise<void>;
  state(name: string, options?: CallOptions): Promise<LxdInstanceState>;
  changeState(
    name: string,
    change: { readonly action: StateAction; readonly timeoutSeconds: number; readonly force: boolean },
    options?: CallOptions,
  ): Promise<LxdOperation>;
  delete(name: string, options?: CallOptions): Promise<LxdOperation>;
}

export interface EventSubscription {
  close(): void;
}

export interface EventHandlers {
  onEvent(event: LxdEvent): void;
  /** The stream is (again) connected: everything may have changed meanwhile. */
  onConnected(): void;
  onDisconnected(reason: string): void;
}

export interface LxdClient {
  readonly instances: LxdInstances;
  readonly images: {
    list(options?: CallOptions): Promise<LxdImage[]>;
    /** The fingerprint behind an alias; NOT_FOUND naming the alias. */
    resolveAlias(alias: string, options?: CallOptions): Promise<string>;
    get(fingerprint: string, options?: CallOptions): Promise<LxdImage>;
  } & LxdImageChanges;
  readonly operations: {
    /** Adopts an operation by id, e.g. one that an earlier attempt began. */
    adopt(id: string): LxdOperation;
    /** Operations that have not ended, all of them or those on one instance. */
    running(filter?: { readonly instance?: string }, options?: CallOptions): Promise<OperationSummary[]>;
  };
  readonly files: LxdFiles;
  readonly exec: LxdExec;
  readonly console: LxdConsole;
  readonly logs: LxdLogs;
  readonly certificates: LxdCertificates;
  readonly storage: LxdStorage;
  readonly cluster: { members(options?: CallOptions): Promise<LxdClusterMember[]> };
  server(options?: CallOptions): Promise<LxdServer>;
  /** Reconnects by itself with back-off until closed. */
  events(types: readonly string[], handlers: EventHandlers): EventSubscription;
  close(): Promise<void>;
}
