import type { DomainChecks } from '#libs/contracts/activities.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { Phase } from '#libs/contracts/webspaces-api.js';
import { DOMAINS_PROVED, type Doubt, domainsCondition, judge } from '#libs/domain/domain-check.js';
import { type Condition, type ObservedInstance, statusChange } from '#libs/domain/projection.js';
import { proofError, proofFor, proofVerdict } from '#libs/domain/proof.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, noWebspace, PlatformError } from '#libs/errors/platform-error.js';
import { claimSpec } from '../kubernetes/claims.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import { readInstance } from './observe.js';

/** Questions to DNS under way at once. */
const LANES = 16;
/** A round releases no more than this share alone, and never less than five may be: else rather the resolvers are wrong. */
const RELEASABLE_SHARE = 0.02;
const RELEASABLE_ALWAYS = 5;
const RACES = 5;

type Needed = 'txt' | 'domainGraceSeconds' | 'lxd' | 'kube' | 'projection' | 'observer' | 'installation' | 'metrics';

interface Held {
  readonly name: string;
  readonly host: string;
  readonly ownerId: string;
  readonly object: StoredObject;
}

/** The proof of custom domains: before they are claimed, and from time to time afterwards. */
export function domainSteps(deps: Pick<Deps, Needed>) {
  const { txt, domainGraceSeconds, lxd, kube, projection, observer, installation, metrics } = deps;
  const graceMs = domainGraceSeconds * 1000;

  async function ownerOf(name: string, signal: AbortSignal): Promise<WebspaceRecord> {
    const instance = await observer.instance(name, signal);
    if (instance.is === 'present') return instance.record;
    if (instance.is === 'unknown') throw new PlatformError('UNAVAILABLE', instance.message);
    throw noWebspace(name);
  }

  /** Every claim of a custom domain that the record of its own webspace names. */
  function heldOf(objects: readonly StoredObject[], instances: ReadonlyMap<string, ObservedInstance>): Held[] {
    return objects.flatMap((object) => {
      const { webspace: name = '', uid } = claimSpec(object);
      const instance = instances.get(name);
      if (instance?.is !== 'present' || instance.record.uid !== uid || instance.record.deletedBy !== undefined) return [];
      const host = object.metadata.name;
      return instance.record.domains.includes(host) ? [{ name, host, ownerId: instance.record.owner.id, object }] : [];
    });
  }

  async function note({ host, object }: Held, doubt: Doubt | undefined, signal: AbortSignal): Promise<void> {
    const before = doubtOf(object);
    if (before?.since === doubt?.since && before?.message === doubt?.message) return;
    const { resourceVersion } = object.metadata;
    // A status that lost its last field would be null, which the server refuses.
    const status = doubt === undefined ? { proof: 'found' } : { proof: 'missing', unproved: doubt };
    await unlessChanged(kube.apply('domain', { metadata: { name: host, resourceVersion }, status }, { subresource: 'status', signal }));
  }

  /** Written again by what it says by then when somebody else wrote its status meanwhile. */
  async function show(listed: StoredObject, doubts: readonly { host: string; doubt: Doubt }[], signal: AbortSignal): Promise<void> {
    let webspace: StoredObject | undefined = listed;
    for (let race = 0; webspace && race < RACES; race++) {
      const { phase, conditions } = (webspace['status'] ?? {}) as { phase?: Phase; conditions?: Condition[] };
      const before = conditions?.find(({ type }) => type === DOMAINS_PROVED);
      const condition = domainsCondition(doubts, before, graceMs);
      const change = condition && phase !== undefined ? statusChange(webspace, { phase, conditions: [condition] }) : undefined;
      if (!change || (await unlessChanged(projection.writeStatus(webspace, change, signal)))) return;
      const found: StoredObject | undefined = await kube.find('webspace', listed.metadata.name, { signal });
      webspace = found?.metadata.uid === listed.metadata.uid ? found : undefined;
    }
  }

  return {
    async proveDomains(call: Call, name: string, domains: readonly string[]): Promise<void> {
      const { owner } = await ownerOf(name, call.signal);
      const proof = proofFor(owner.id);
      const errors = await inLanes(domains, LANES, async (host) => proofError(host, proof, await txt.ask(host, call.signal)));
      const first = errors.find((error) => error !== undefined);
      if (first) throw first;
    },

    async stillUnproved(call: Call, name: string, domains: readonly string[]): Promise<string[]> {
      const record = await ownerOf(name, call.signal);
      const proof = proofFor(record.owner.id);
      const held = domains.filter((domain) => record.domains.includes(domain));
      const verdicts = await inLanes(held, LANES, async (host) => proofVerdict(await txt.ask(host, call.signal), proof));
      return held.filter((_host, i) => verdicts[i] === 'refuted');
    },

    async checkDomains(call: Call): Promise<DomainChecks> {
      const { signal } = call;
      const [objects, webspaces] = await Promise.all([kube.list('domain', { signal }), kube.list('webspace', { signal })]);
      const instances = new Map((await lxd.instances.list({ signal })).map((instance) => [instance.name, readInstance(instance)]));
      const held = heldOf(objects, instances);
      const checked = await inLanes(held, LANES, async (one) => {
        const proof = proofFor(one.ownerId);
        const answer = await txt.ask(one.host, signal);
        const judgement = judge({ host: one.host, proof, answer, doubt: doubtOf(one.object) }, { now: Date.now(), graceMs });
        await note(one, judgement.doubt, signal);
        return { ...one, ...judgement, verdict: proofVerdict(answer, proof) };
      });
      const doubts = byName(checked.flatMap(({ name, host, doubt }) => (doubt ? [{ name, host, doubt }] : [])));
      for (const webspace of webspaces) await show(webspace, doubts.get(webspace.metadata.name) ?? [], signal);
      const count = (verdict: string) => checked.filter((one) => one.verdict === verdict).length;
      const counts = { proved: count('proved'), refuted: count('refuted'), unanswered: count('unknown') };
      metrics.domains(counts);
      return {
        ...counts,
        ...(await releasable(
          checked.filter(({ release }) => release),
          held.length,
          signal,
        )),
      };
    },
  };

  /** Those to be released, by webspace; none when there are too many to be believed. */
  async function releasable(
    found: readonly Held[],
    of: number,
    signal: AbortSignal,
  ): Promise<Pick<DomainChecks, 'toRelease' | 'refusals'>> {
    const limit = Math.max(RELEASABLE_ALWAYS, Math.floor(of * RELEASABLE_SHARE));
    if (found.length > limit && !(await installation.takeApproval(found.length, signal))) {
      metrics.refused('TooManyReleases');
      const message = `${found.length} custom domains are no longer proved, more than the ${limit} that are released alone: see that dns.resolvers tell the truth.`;
      return { toRelease: [], refusals: [`${message} ${installation.approvalHint(found.length)}`] };
    }
    const toRelease = [...byName(found)].map(([name, held]) => ({ name, domains: held.map(({ host }) => host) }));
    return { toRelease, refusals: [] };
  }
}

function byName<T extends { readonly name: string }>(all: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(one.name, [...(groups.get(one.name) ?? []), one]);
  return groups;
}

function doubtOf(object: StoredObject): Doubt | undefined {
  return ((object['status'] ?? {}) as { unproved?: Doubt }).unproved;
}

/** False when it is gone or was written since it was read. */
async function unlessChanged(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (!isPlatformError(error, 'STALE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
    return false;
  }
}
