import type { AccountFindings, AccountsRefused, AccountsRound } from './accounts.js';
import type { AdoptionPlan } from './adoption.js';
import type { IdleLook } from './idle-stop.js';
import type { ShortMember } from './memory-stop.js';
import type {
  Account,
  ArchiveWebspaceResult,
  ChangeWebspaceResult,
  CreateWebspaceInput,
  OperationKind,
  PortForward,
  SweepResult,
  WebspaceChange,
} from './operations.js';

/** The operation on whose behalf an activity acts; with the run id of its workflow it is the holder of the lock. */
export interface Acting {
  readonly kind: OperationKind;
  readonly name: string;
  readonly operationId: string;
  /** Empty until the webspace has been read. */
  readonly uid: string;
}

/** What a workflow needs to know of a webspace; a part of its record. */
export interface WebspaceFacts {
  readonly uid: string;
  /** Without a user name while nobody knows it. */
  readonly owner: Account;
  /** Empty while nothing is published. */
  readonly host: string;
  /** Empty for a webspace of the original that has no address of its own yet. */
  readonly address: string;
  readonly port: number;
  readonly startupDelaySeconds: number;
  readonly fingerprint: string;
  /** Absent when there is none. */
  readonly ports?: readonly PortForward[];
  /** The record to be written, serialised: readable in Temporal UI, opened only by activities. */
  readonly record: string;
}

/** The lock is somebody else's; the reason says whose. */
export interface Busy {
  readonly busy: string;
}

export interface Started extends WebspaceFacts {
  /** False when the container ran already. */
  readonly changed: boolean;
}

export interface MarkedDeleted {
  readonly uid: string;
}

/** A webspace with a record of ours. */
export interface Converted extends WebspaceFacts {
  /** False when it had one already. */
  readonly converted: boolean;
}

/**
 * Every activity, by the name under which it is registered and seen in Temporal UI. Each says what it guarantees, and may be run twice.
 */
export interface WebspaceActivities {
  /**
   * The lock, the claims of host name and address, and the instance with this creation's record are this creation's, and the webspace is
   * published. Nothing else existed under the name.
   */
  makeWebspace(input: CreateWebspaceInput): Promise<WebspaceFacts | Busy>;
  /** Root's password in the stopped container is the one of the sealed hash; everything else in its files stays. */
  setRootPassword(acting: Acting, sealedHash: string): Promise<void>;
  /** Root's `authorized_keys` in the stopped container is this line. */
  authorizeKey(acting: Acting, sshKey: string): Promise<void>;
  /** The container has an SSH server that starts with it, and is stopped. */
  installSsh(acting: Acting): Promise<{ readonly installed: 'with the image' | 'now' }>;
  /** The record says that the webspace is ready. */
  finishCreation(acting: Acting): Promise<void>;
  /** `Webspace` exists for the record; what it owns is left to the last look. */
  ensureProjection(acting: Acting, facts: WebspaceFacts): Promise<void>;
  /** Objects say what LXD says, looked at last; after a change no claim is left that the record does not name; the lock is free. */
  settle(acting: Acting): Promise<{ phase: string }>;
  /** The lock is held, everything the change adds is claimed, and the record says what the change asks for. */
  changeRecord(acting: Acting, change: WebspaceChange): Promise<ChangeWebspaceResult | Busy>;
  /** The lock is held and the container runs. */
  startInstance(acting: Acting): Promise<Started | Busy>;
  /** The container's port answers, or its start-up time is over: `answering` tells. */
  awaitReady(acting: Acting, facts: WebspaceFacts): Promise<{ answering: boolean; waitedMs: number }>;
  /** The lock is held, the webspace runs, and its route leads to the gateway. */
  beginStop(acting: Acting): Promise<WebspaceFacts | Busy>;
  /** The route leads to the gateway, and the container is stopped: cleanly, or by force after the time given. */
  turnOff(acting: Acting, timeoutSeconds: number): Promise<{ forced: boolean }>;
  /** The lock is held, and an image holds what the webspace, which is suspended because of its account, holds. */
  archiveInstance(acting: Acting): Promise<ArchiveWebspaceResult | Busy>;
  /** The container is stopped: cleanly, or by force after the time given. */
  stopInstance(acting: Acting, timeoutSeconds: number): Promise<{ forced: boolean }>;
  /** The lock is held and the instance read: its record is the truth to restore from. */
  readForRestore(acting: Acting): Promise<WebspaceFacts | Busy>;
  /** Every claim of the record is this webspace's, or an older one's that names it, too. */
  restoreClaims(acting: Acting, facts: WebspaceFacts): Promise<void>;
  /** What an adoption of the webspaces after that name would change; changes nothing. */
  planAdoption(page: { readonly after: string; readonly limit: number }): Promise<AdoptionPlan>;
  /** The lock is held, and the record is one of ours. */
  convertRecord(acting: Acting): Promise<Converted | Busy>;
  /** The uid is marked as deleted where every other operation looks first. */
  markDeleted(acting: Acting): Promise<MarkedDeleted>;
  /** The operations that held or wait for the lock have ended, and the delete holds it. */
  takeOver(acting: Acting): Promise<void>;
  /** The route is gone, then the instance of this uid: LXD answers 404 for it. */
  removeInstance(acting: Acting): Promise<void>;
  /** No object and no claim of this uid is left; proved by a search. */
  removeObjects(acting: Acting): Promise<void>;
  /** The lock is free; with `tombstone` the uid stays listed as deleted for an hour. */
  releaseLock(acting: Acting, tombstone: 'tombstone' | 'none'): Promise<void>;
  /** One round of level-triggered repair of one webspace. */
  reconcile(name: string): Promise<{ outcome: string; again: boolean }>;
  /** Compares all of LXD with all of Kubernetes and repairs what may be repaired without an operation. */
  compareAll(): Promise<Comparison>;
  /** Every one of the names is proved by its TXT record to be the owner's; fails with INVALID_INPUT for the first that is not. */
  proveDomains(name: string, domains: readonly string[]): Promise<void>;
  /** Those of the names that the record holds and whose proof DNS plainly says is missing now. */
  stillUnproved(name: string, domains: readonly string[]): Promise<string[]>;
  /** Asks for the proof of every custom domain there is, notes since when one is missing, and says which grace times are over. */
  checkDomains(): Promise<DomainChecks>;
  /** What the accounts of a page of webspaces call for; nothing when the identity service cannot be believed. */
  checkAccounts(after: string | undefined): Promise<AccountFindings | AccountsRefused>;
  /** Why that much may not be suspended and archived; empty when it may, or an admin has said yes. */
  judgeAccounts(round: AccountsRound): Promise<readonly string[]>;
  /** Which webspaces nobody has used for long; remembers what was seen for the next look. */
  findIdle(): Promise<IdleLook>;
  /** Which members say that their memory is short, and which webspace of each may be stopped for it. */
  findShortOfMemory(): Promise<readonly ShortMember[]>;
  /** New claims may be made: every claim of every readable record is restored. */
  openClaims(): Promise<void>;
}

export interface Comparison extends Omit<SweepResult, 'reconciled' | 'restored'> {
  readonly toReconcile: readonly string[];
  readonly toRestore: readonly string[];
  readonly toDelete: readonly string[];
  /** Every instance was read without doubt. */
  readonly complete: boolean;
  readonly claimsOpen: boolean;
}

/** What a round of asking for the proofs of all custom domains found. */
export interface DomainChecks {
  readonly proved: number;
  readonly refuted: number;
  /** DNS did not tell: as good as not asked. */
  readonly unanswered: number;
  readonly toRelease: readonly { readonly name: string; readonly domains: readonly string[] }[];
  /** Why nothing is released although it should be, empty when there is no reason. */
  readonly refusals: readonly string[];
}
