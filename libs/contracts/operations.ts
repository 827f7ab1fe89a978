import type { SuspensionReason } from './accounts.js';

/** Kinds of operations, on one webspace but for imports of images, upgrades and scalings of clusters; the first part of their workflow ids. */
export const OPERATION_KINDS = [
  'create',
  'delete',
  'boot',
  'shutdown',
  'reboot',
  'config',
  'domains',
  'ports',
  'change',
  'rename',
  'suspend',
  'resume',
  'archive',
  'reconcile',
  'restore',
  'adopt',
  'adoptions',
  'import',
  'upgrade',
  'scale',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** Kinds that change a record: of one part of it, or of several at once (`change`). */
export const CHANGE_KINDS = [
  'config',
  'domains',
  'ports',
  'change',
  'rename',
  'suspend',
  'resume',
] as const satisfies readonly OperationKind[];
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export function isChangeKind(kind: OperationKind): kind is ChangeKind {
  return (CHANGE_KINDS as readonly OperationKind[]).includes(kind);
}

/** Whether nobody but admins may see operations of the kind: they are on no webspace. */
export function isAdminKind(kind: OperationKind): boolean {
  return kind === 'upgrade' || kind === 'scale';
}

/** The workflow function behind each kind, as registered in the worker. */
export const WORKFLOW_TYPES: Record<
  OperationKind | 'sweep' | 'verifyDomains' | 'accountPolicy' | 'idleStop' | 'memoryStop' | 'watchImageSources' | 'sweepClusters',
  string
> = {
  create: 'createWebspace',
  delete: 'deleteWebspace',
  boot: 'bootWebspace',
  shutdown: 'shutdownWebspace',
  reboot: 'rebootWebspace',
  config: 'changeConfig',
  domains: 'changeDomains',
  ports: 'changePortForwards',
  change: 'changeWebspace',
  rename: 'renameWebspace',
  suspend: 'suspendWebspace',
  resume: 'resumeWebspace',
  archive: 'archiveWebspace',
  reconcile: 'reconcileWebspace',
  restore: 'restoreWebspace',
  adopt: 'adoptWebspace',
  adoptions: 'adoptWebspaces',
  import: 'importImage',
  upgrade: 'upgradeLxd8s',
  scale: 'scaleLxd8s',
  sweep: 'sweep',
  verifyDomains: 'verifyDomains',
  accountPolicy: 'accountPolicy',
  idleStop: 'idleStop',
  memoryStop: 'memoryStop',
  watchImageSources: 'watchImageSources',
  sweepClusters: 'sweepClusters',
};

export interface Account {
  /** Account id in the identity service, as a string (numeric for the original's service). */
  readonly id: string;
  readonly username: string;
}

/** Who asked for an operation: an account, or a part of the platform (`sweep`, `events`). */
export interface Requester {
  readonly subject: string;
  readonly username: string;
}

export interface CreateWebspaceInput {
  readonly name: string;
  readonly operationId: string;
  /** Made once, in the API; tells this creation's objects from any earlier or later ones of the same name. */
  readonly uid: string;
  readonly owner: Account;
  readonly requestedBy: Requester;
  /** Image alias or 64-digit fingerprint, as the member gave it. */
  readonly image: string;
  readonly boot: boolean;
  /** Absent: a plain webspace. */
  readonly extras?: CreationExtras;
}

/** What a creation puts into its webspace before it is ready. */
export interface CreationExtras {
  /** The hash of root's password, sealed for this uid and operation. */
  readonly passwordHash?: string;
  /** A line for root's `authorized_keys`; with it come an SSH server and a forward to its port. */
  readonly sshKey?: string;
}

export interface CreateWebspaceResult {
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  readonly host: string;
  readonly fingerprint: string;
  /** Absent when there is none. */
  readonly ports?: readonly PortForward[];
}

export interface DeleteWebspaceInput {
  readonly name: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
}

export interface DeleteWebspaceResult {
  readonly name: string;
  readonly uid: string;
}

/** Every boot request is equal: it takes no option of its caller. */
export interface BootWebspaceInput {
  readonly name: string;
}

export interface ShutdownWebspaceInput {
  readonly name: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
}

export type RebootWebspaceInput = ShutdownWebspaceInput;

export type Protocol = 'tcp' | 'udp';

/** A forwarded port by the outside: what it is removed by. */
export interface ExternalPort {
  readonly protocol: Protocol;
  readonly external: number;
}

export interface PortForward extends ExternalPort {
  readonly internal: number;
  /** Each connection begins with the client's address as PROXY protocol v2 tells it; TCP only. */
  readonly proxyProtocol?: true | undefined;
}

/** A forward to be made; without `external` any free port of the range is taken. */
export interface NewPortForward {
  readonly protocol: Protocol;
  readonly external?: number | undefined;
  readonly internal: number;
  readonly proxyProtocol?: true | undefined;
}

export interface WebspaceConfig {
  readonly startupDelaySeconds: number;
  readonly httpPort: number;
  readonly sniPassthrough: boolean;
}

/**
 * What is to become different of a webspace, all of it or nothing. Absent parts stay as they are; zero values (`false`, `0`) count. What is
 * removed makes place for what is added. Domains are in canonical form.
 */
export interface WebspaceChange {
  readonly config?: { readonly [K in keyof WebspaceConfig]?: WebspaceConfig[K] | undefined } | undefined;
  readonly domains?: { readonly add: readonly string[]; readonly remove: readonly string[] } | undefined;
  readonly ports?: { readonly add: readonly NewPortForward[]; readonly remove: readonly ExternalPort[] } | undefined;
  /** What the account is called now; the default host goes with it. */
  readonly owner?: { readonly username: string } | undefined;
  readonly suspension?: SuspensionChange | undefined;
  readonly policy?: { readonly alwaysOn?: boolean | undefined } | undefined;
}

/** `by` is an admin's user name, or `account-policy`, which does not lift what an admin has imposed. */
export type SuspensionChange =
  | { readonly to: 'suspended'; readonly since: string; readonly reason: SuspensionReason; readonly by: string; readonly note?: string }
  | { readonly to: 'resumed'; readonly by: string };

export interface ChangeWebspaceInput {
  readonly name: string;
  readonly operationId: string;
  readonly requestedBy: Requester;
  readonly change: WebspaceChange;
  /** Of the domains to be removed only those whose proof is missing still; for the sweep of domains. */
  readonly onlyUnproved?: boolean;
}

export interface ChangeWebspaceResult {
  readonly name: string;
  readonly uid: string;
  /** What the configuration was before. */
  readonly previous: WebspaceConfig;
  /** The forwards that were added, in the order in which they were asked for. */
  readonly added: readonly PortForward[];
}

export type ArchiveWebspaceInput = ShutdownWebspaceInput;

export interface ArchiveWebspaceResult {
  readonly name: string;
  readonly uid: string;
  /** Account id. */
  readonly owner: string;
  /** The image that the webspace can be made from again. */
  readonly alias: string;
  readonly fingerprint: string;
}

export interface ReconcileWebspaceInput {
  readonly name: string;
  readonly reason: string;
}

export interface RestoreWebspaceInput {
  readonly name: string;
  readonly reason: string;
}

export interface StateResult {
  readonly name: string;
  readonly phase: string;
}

export interface SweepResult {
  readonly instances: number;
  readonly reconciled: number;
  readonly restored: number;
  readonly removed: number;
  /** Why the sweep held back from removing or restoring, empty when it did not. */
  readonly refusals: readonly string[];
}

/** Outcome of a round of `verifyDomains`. */
export interface VerifyDomainsResult {
  readonly proved: number;
  readonly refuted: number;
  readonly unanswered: number;
  /** How many webspaces gave up domains whose grace time was over. */
  readonly released: number;
  /** Why nothing was released although it should have been, empty when there is no reason. */
  readonly refusals: readonly string[];
}

/** Signal of `reconcileWebspace`: look at the webspace once more. */
export const LOOK_AGAIN_SIGNAL = 'lookAgain';

/** Update of `bootWebspace`: completes as soon as LXD has started the container (before its port answers). */
export const STARTED_UPDATE = 'started';

/** Answer of {@link STARTED_UPDATE}. */
export interface StartedAnswer {
  /** Whether it was off. */
  readonly changed: boolean;
  /** Of the container. Empty when LXD gives it one only later: a webspace of the original that was running before it was taken over. */
  readonly address: string;
}

/**
 * Update of `createWebspace`: completes as soon as the webspace is there for good, with the workflow's result. What follows (a last look, the
 * lock) is no longer undone.
 */
export const CREATED_UPDATE = 'created';
