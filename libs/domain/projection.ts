import { KINDS, type KindName, type KubeObject, type StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { Phase } from '#libs/contracts/webspaces-api.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { certificatesCondition, certifiedDomains } from './certificates.js';
import { claimKey, claimsOf, domainClaim } from './claims.js';
import {
  type DesiredObject,
  desiredObjects,
  ownedBy,
  type RouteTarget,
  type Withheld,
  webspaceLabels,
  webspaceSpec,
} from './desired-objects.js';
import { matches } from './matches.js';
import type { InstancePhase } from './phase.js';
import type { Platform } from './platform.js';
import type { WebspaceRecord } from './record.js';
import { suspensionText } from './suspension.js';

/** What LXD said of one name. */
export type ObservedInstance =
  | {
      readonly is: 'present';
      readonly record: WebspaceRecord;
      readonly phase: InstancePhase;
      readonly lastUsedAt: string;
      /** Member of LXD's cluster that it is on. */
      readonly member?: string;
      /** Of a running container whose record has none. */
      readonly reportedAddress?: string;
    }
  | { readonly is: 'absent' }
  | { readonly is: 'not-a-webspace' }
  | { readonly is: 'unknown'; readonly reason: string; readonly message: string };

/** Our objects of one name as they were read, before LXD was. */
export interface ObservedObjects {
  readonly webspace?: StoredObject | undefined;
  readonly service?: StoredObject | undefined;
  readonly endpointSlice?: StoredObject | undefined;
  readonly ingressRoute?: StoredObject | undefined;
  readonly ingressRouteTcp?: StoredObject | undefined;
  /** Routes, Certificates and Secrets (their metadata) of custom domains, and the Service of forwarded ports. */
  readonly furtherObjects?: readonly StoredObject[] | undefined;
}

/** Gives the object of a kind and name, if it was read. */
export function finderIn(objects: ObservedObjects): (kind: KindName, name: string) => StoredObject | undefined {
  return (kind, name) => {
    const single = (objects as Partial<Record<KindName, StoredObject>>)[kind];
    if (single?.metadata.name === name) return single;
    return objects.furtherObjects?.find((object) => object.kind === KINDS[kind].kind && object.metadata.name === name);
  };
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface StatusChange {
  readonly phase: Phase;
  readonly lastUsed?: string;
  /** Those that are said anew; others stay as they are. */
  readonly conditions: readonly Omit<Condition, 'lastTransitionTime'>[];
}

/** The difference between what LXD says and what our objects say of one webspace; each action carries its reason in the plan's. */
export type ProjectionPlan =
  | { readonly verdict: 'nothing' }
  /** Nothing may be removed or rerouted: what cannot be read is unknown, not absent. */
  | { readonly verdict: 'unknown'; readonly status: StatusChange | undefined }
  /** The instance is a webspace and has no `Webspace` of its uid. */
  | { readonly verdict: 'restore'; readonly stale: StoredObject | undefined }
  /** The `Webspace` has no instance (any more). */
  | { readonly verdict: 'orphan'; readonly uid: string; readonly webspace: StoredObject }
  | {
      readonly verdict: 'update';
      readonly apply: readonly DesiredObject[];
      readonly remove: readonly StoredObject[];
      readonly status: StatusChange | undefined;
    };

const SUSPENDED = 'Suspended';
const SUSPENSION_REASONS = { deleted: 'AccountDeleted', expired: 'MembershipEnded', admin: 'ByAdmin' } as const;

const IN_STEP = { type: 'Synced', status: 'True', reason: 'InStep', message: 'Objects say what LXD says.' } as const;

export function uidOfObject(object: KubeObject | undefined): string | undefined {
  return object?.metadata.labels?.[LABELS.uid];
}

/** Where the route of a webspace in this phase leads; of one that is suspended to the gateway, whoever started its container. */
function targetOf(phase: InstancePhase, { policy }: WebspaceRecord): RouteTarget {
  return phase === 'running' && !policy.suspended ? 'container' : 'gateway';
}

/** Pure: decides what has to change so that the objects of one webspace say what its instance says. */
export function planProjection(name: string, instance: ObservedInstance, objects: ObservedObjects, platform: Platform): ProjectionPlan {
  const webspace = objects.webspace;
  switch (instance.is) {
    case 'not-a-webspace':
    case 'absent': {
      const uid = uidOfObject(webspace);
      return webspace && uid ? { verdict: 'orphan', uid, webspace } : { verdict: 'nothing' };
    }
    case 'unknown':
      return { verdict: 'unknown', status: statusChange(webspace, unknownStatus(instance.reason, instance.message)) };
    case 'present':
      break;
  }
  const { record, phase } = instance;
  if (!webspace || uidOfObject(webspace) !== record.uid) return { verdict: 'restore', stale: webspace };
  if (phase === 'unknown') {
    const message = 'LXD shows the instance in state ERROR: its member may be away. Its route stays as it is.';
    return { verdict: 'unknown', status: statusChange(webspace, unknownStatus('InstanceUnreadable', message)) };
  }
  if (record.owner.username === undefined) {
    const status = statusChange(webspace, ownerUnknown(record, instance));
    return status ? { verdict: 'unknown', status } : { verdict: 'nothing' };
  }
  const withheld = withheldOf(webspace, record, platform);
  const describes = { labels: webspaceLabels(name, record), spec: webspaceSpec(record, platform, withheld) };
  if (!matches({ labels: webspace.metadata.labels, spec: webspace['spec'] }, describes)) return { verdict: 'restore', stale: undefined };
  const circumstances = {
    withheld,
    reportedAddress: instance.reportedAddress,
    certified: certifiedDomains(name, record, finderIn(objects)),
  };
  const desired = desiredObjects(name, record, targetOf(phase, record), platform, circumstances).map((object) => adopted(object, webspace));
  const apply = desired.filter((object) => !inStep(finderIn(objects)(object.kind, object.metadata.name), object));
  const remove = superfluous(desired, objects, record.uid);
  const conditions = [
    inStepBut(withheld),
    ...aboutCertificates(name, record, platform, withheld, objects),
    ...aboutSuspension(name, record, webspace),
  ];
  const status = statusChange(webspace, { phase, lastUsed: lastUse(webspace, instance.lastUsedAt), conditions });
  return apply.length + remove.length === 0 && !status ? { verdict: 'nothing' } : { verdict: 'update', apply, remove, status };
}

/** The start that LXD tells, or a use that was seen since. */
function lastUse(webspace: StoredObject, startedAt: string): string {
  const { lastUsed } = (webspace['status'] ?? {}) as { lastUsed?: string };
  return lastUsed !== undefined && Date.parse(lastUsed) > Date.parse(startedAt) ? lastUsed : startedAt;
}

function aboutCertificates(
  name: string,
  record: WebspaceRecord,
  { certificateIssuer }: Platform,
  withheld: Withheld,
  objects: ObservedObjects,
): StatusChange['conditions'] {
  if (!objects.webspace?.metadata.labels?.[LABELS.further]) return [];
  const domains = record.domains.filter((domain) => !withheld.includes(claimKey(domainClaim(domain))));
  return [certificatesCondition(name, domains, record.http, certificateIssuer, finderIn(objects))];
}

/** One that never was suspended says nothing about it. */
function aboutSuspension(name: string, { policy: { suspended } }: WebspaceRecord, webspace: StoredObject): StatusChange['conditions'] {
  if (suspended) {
    const message = suspensionText(name, suspended);
    return [{ type: SUSPENDED, status: 'True', reason: SUSPENSION_REASONS[suspended.reason], message }];
  }
  const { conditions = [] } = (webspace['status'] ?? {}) as { conditions?: readonly Condition[] };
  if (!conditions.some(({ type }) => type === SUSPENDED)) return [];
  return [{ type: SUSPENDED, status: 'False', reason: 'Resumed', message: 'It may run.' }];
}

/** Routes, Certificates, Secrets and Services of this uid that are not wanted any more; a Secret is wanted with its Certificate. */
function superfluous(desired: readonly DesiredObject[], objects: ObservedObjects, uid: string): StoredObject[] {
  const key = (kind: string, name: string) => `${kind} ${name}`;
  const wanted = new Set(desired.map(({ kind, metadata }) => key(KINDS[kind].kind, metadata.name)));
  for (const { kind, metadata } of desired) if (kind === 'certificate') wanted.add(key(KINDS.secret.kind, metadata.name));
  const found = [objects.ingressRoute, objects.ingressRouteTcp, ...(objects.furtherObjects ?? [])];
  return found.filter(
    (object) => object !== undefined && uidOfObject(object) === uid && !wanted.has(key(object.kind, object.metadata.name)),
  ) as StoredObject[];
}

/** What the record names and a restore found in another webspace's hands. */
export function withheldOf(webspace: KubeObject | undefined, record: WebspaceRecord, platform: Platform): Withheld {
  const { withheld } = (webspace?.['spec'] ?? {}) as { withheld?: Withheld };
  if (!withheld?.length) return [];
  const named = new Set(claimsOf(record, platform.baseDomain).map(claimKey));
  return withheld.filter((claim) => named.has(claim));
}

function inStepBut(withheld: Withheld): StatusChange['conditions'][number] {
  if (withheld.length === 0) return IN_STEP;
  const message = `The record names what an older webspace holds: ${withheld.join(', ')}. Nothing of that is published; change this record or that one.`;
  return { type: IN_STEP.type, status: 'False', reason: 'HeldByAnother', message };
}

/** A desired object with the owner reference that lets it go with its `Webspace`. */
export function adopted(object: DesiredObject, webspace: StoredObject): DesiredObject {
  const ownerReferences = [ownedBy({ name: webspace.metadata.name, uid: webspace.metadata.uid })];
  return { ...object, metadata: { ...object.metadata, ownerReferences } as DesiredObject['metadata'] };
}

function inStep(actual: StoredObject | undefined, desired: DesiredObject): boolean {
  const { kind: _kind, ...content } = desired;
  return actual !== undefined && matches(actual, content);
}

function ownerUnknown(
  { owner }: WebspaceRecord,
  { phase, lastUsedAt }: { readonly phase: InstancePhase; readonly lastUsedAt: string },
): StatusChange {
  const message = `The identity service names no account ${owner.id} whose user name can be a host name. The routes stay as they are until it does.`;
  return { phase, lastUsed: lastUsedAt, conditions: [{ type: 'Synced', status: 'False', reason: 'OwnerUnknown', message }] };
}

export function unknownStatus(reason: string, message: string): StatusChange {
  return { phase: 'unknown', conditions: [{ type: 'Synced', status: 'False', reason, message }] };
}

/** The status to write, or undefined when the object says it already. */
export function statusChange(webspace: StoredObject | undefined, wanted: StatusChange): StatusChange | undefined {
  if (!webspace) return undefined;
  const status = (webspace['status'] ?? {}) as { phase?: string; lastUsed?: string; conditions?: Condition[] };
  const said = (condition: StatusChange['conditions'][number]) =>
    matches(
      status.conditions?.find(({ type }) => type === condition.type),
      condition,
    );
  const same =
    status.phase === wanted.phase &&
    (wanted.lastUsed === undefined || status.lastUsed === wanted.lastUsed) &&
    wanted.conditions.every(said);
  return same ? undefined : wanted;
}
