import type { Acting, Busy, Converted } from '#libs/contracts/activities.js';
import type { AdoptionEntry, AdoptionLeftovers, AdoptionPlan } from '#libs/contracts/adoption.js';
import { LABELS, LEGACY_MANAGED_BY, RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { claimKey, claimsOf } from '#libs/domain/claims.js';
import { isWebspaceName } from '#libs/domain/names.js';
import { isLegacy, parseLegacy, serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import { claimSpec } from '../kubernetes/claims.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import { factsOf } from './facts.js';
import { takeWebspace } from './take.js';

const LANES = 8;
/** The original's kinds (Traefik 2, cert-manager), in the order in which nothing leads to what is gone. */
const LEGACY_KINDS = [
  'ingressroutes.traefik.containo.us',
  'ingressroutetcps.traefik.containo.us',
  'middlewares.traefik.containo.us',
  'middlewaretcps.traefik.containo.us',
  'certificates.cert-manager.io',
  'services',
  'endpoints',
].join(',');

interface Read {
  readonly name: string;
  readonly record?: WebspaceRecord;
  readonly warnings: readonly string[];
  readonly problem?: string;
}

/** The steps that take over what the original made. */
export function adoptSteps(deps: Deps) {
  const { lxd, kube, claims, owners, platform } = deps;

  async function read(instance: LxdInstance): Promise<Read> {
    const { name } = instance;
    try {
      const { record, warnings } = parseLegacy(instance);
      return { name, warnings, record: await owners.named(record) };
    } catch (error) {
      if (!isPlatformError(error, 'PROTOCOL')) throw error;
      return { name, warnings: [], problem: messageOf(error) };
    }
  }

  async function leftovers(signal: AbortSignal): Promise<AdoptionLeftovers> {
    const selector = `${LABELS.managedBy}=${LEGACY_MANAGED_BY}`;
    const kinds = ['service', 'ingressRoute', 'ingressRouteTcp'] as const;
    const lists = await Promise.all(kinds.map((kind) => kube.list(kind, { labelSelector: selector, signal })));
    return {
      objects: lists.flat().map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      command: `kubectl delete ${LEGACY_KINDS} --namespace <the original's> --selector ${selector}`,
    };
  }

  return {
    /** One page of what an adoption would change, by name; changes nothing. */
    async planAdoption(call: Call, { after, limit }: { readonly after: string; readonly limit: number }): Promise<AdoptionPlan> {
      const { signal } = call;
      const [held, left] = await Promise.all([claims.all(signal), leftovers(signal)]);
      const instances = await lxd.instances.list({ signal });
      const legacy = instances.filter((instance) => isWebspaceName(platform.instancePrefix, instance.name) && isLegacy(instance));
      const all = (await inLanes(legacy, LANES, read)).sort((a, b) => (a.name < b.name ? -1 : 1));
      const holders = new Map(held.map(({ kind, object }) => [claimKey({ kind, name: object.metadata.name }), claimSpec(object)]));
      const firsts = oldestOf(all, platform.baseDomain);
      const entry = ({ name, record, warnings, problem }: Read): AdoptionEntry => {
        const keys = record ? claimsOf(record, platform.baseDomain).map(claimKey) : [];
        return {
          name,
          ...(record ? { owner: { id: record.owner.id, ...(record.owner.username ? { username: record.owner.username } : {}) } } : {}),
          domains: record?.domains ?? [],
          ports: record?.ports.map(({ protocol, external, internal }) => ({ protocol, external, internal })) ?? [],
          conflicts: keys.flatMap((key) => conflictAbout(key, name, record?.uid, holders.get(key), firsts.get(key)?.name)),
          warnings: record && !record.owner.username ? [...warnings, `nobody knows the user name of account ${record.owner.id}`] : warnings,
          ...(problem === undefined ? {} : { problem }),
        };
      };
      const rest = all.filter(({ name }) => name > after);
      const page = rest.slice(0, limit);
      const next = rest.length > limit ? page.at(-1)?.name : undefined;
      return { total: all.length, webspaces: page.map(entry), ...(next === undefined ? {} : { next }), leftovers: left };
    },

    /** The lock is held, and the record is one of ours: the same webspace, the same uid. The original's key stays beside it. */
    async convertRecord(call: Call, acting: Acting): Promise<Converted | Busy> {
      const taken = await takeWebspace(deps, call, acting);
      if ('busy' in taken) return taken;
      const { found, record } = taken;
      const converted = isLegacy(found.value);
      const config = { [RECORD_KEY]: serialiseRecord(record) };
      if (converted) await lxd.instances.patchConfig(acting.name, config, { etag: found.etag, signal: call.signal });
      return { ...factsOf(record, platform), converted };
    },
  };
}

/** The oldest of those that name the same: its claim stays. */
function oldestOf(all: readonly Read[], baseDomain: string): Map<string, Read> {
  const firsts = new Map<string, Read>();
  for (const one of all) {
    for (const key of one.record ? claimsOf(one.record, baseDomain).map(claimKey) : []) {
      const first = firsts.get(key)?.record;
      if (!first || (one.record as WebspaceRecord).createdAt < first.createdAt) firsts.set(key, one);
    }
  }
  return firsts;
}

function conflictAbout(
  key: string,
  name: string,
  uid: string | undefined,
  holder: { readonly webspace?: string; readonly uid?: string } | undefined,
  first: string | undefined,
): string[] {
  if (holder?.uid !== undefined && holder.uid !== uid && holder.webspace !== name) return [`${key} is held by ${holder.webspace}`];
  return first !== undefined && first !== name ? [`${key} is named by ${first}, too, which is older and keeps it`] : [];
}
