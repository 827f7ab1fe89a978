import type { Logger } from 'pino';
import type { TxtResolver } from '#libs/dns/txt-resolver.js';
import type { Platform } from '#libs/domain/platform.js';
import type { Identity } from '#libs/identity/identity.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Sealing } from '#libs/sealing/sealing.js';
import type { Claims } from '../kubernetes/claims.js';
import type { Locks } from '../kubernetes/lock.js';
import type { Projection } from '../kubernetes/projection.js';
import type { ReplacedMembers } from '../lxd/replaced-members.js';
import type { Installation } from '../webspace/installation.js';
import type { LeadAway } from '../webspace/lead-away.js';
import type { Observer } from '../webspace/observe.js';
import type { Owners } from '../webspace/owners.js';
import type { WorkflowRuns } from './workflow-runs.js';

/** What the account policy works with; without a directory there is none. */
export interface AccountDeps {
  readonly identity: Pick<Identity, 'directory' | 'check'> | undefined;
  /** 0 for ever. */
  readonly membershipSeconds: number;
  /** How long a webspace stays suspended before it is archived; 0 for ever. */
  readonly graceSeconds: number;
}

/** When a webspace that nobody uses is shut down. */
export interface IdleStopDeps {
  readonly enabled: boolean;
  readonly afterSeconds: number;
  /** What a container may send from one look to the next without counting as used. */
  readonly quietBytes: number;
}

/** What the activities of webspaces work with; assembled once in apps/worker. */
export interface Deps {
  readonly lxd: LxdClient;
  readonly kube: KubernetesClient;
  readonly runs: WorkflowRuns;
  readonly locks: Locks;
  readonly claims: Claims;
  readonly projection: Projection;
  readonly leadAway: LeadAway;
  readonly observer: Observer;
  readonly owners: Owners;
  readonly installation: Installation;
  readonly replacedMembers: ReplacedMembers;
  readonly platform: Platform;
  readonly sealing: Pick<Sealing, 'open'>;
  readonly txt: TxtResolver;
  /** How long a custom domain stays although its proof is missing. */
  readonly domainGraceSeconds: number;
  readonly accounts: AccountDeps;
  readonly idleStop: IdleStopDeps;
  /** Whether webspaces are shut down when the memory of their member is short. */
  readonly memoryStop: { readonly enabled: boolean };
  readonly log: Logger;
  readonly metrics: SweepMetrics;
}

export interface SweepMetrics {
  /** How often a sweep or reconcile held back, by reason. */
  refused(reason: string): void;
  /** How many webspaces cannot be read now. */
  unreadable(count: number): void;
  /** What DNS said of the custom domains at the last round. */
  domains(counts: { readonly proved: number; readonly refuted: number; readonly unanswered: number }): void;
}
