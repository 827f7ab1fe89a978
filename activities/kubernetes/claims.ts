import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { NewPortForward, PortForward } from '#libs/contracts/operations.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import { type AddressRange, addressCandidates } from '#libs/domain/addresses.js';
import { addressClaim, CLAIM_KINDS, type Claim, type ClaimKind, claimKey, portClaim } from '#libs/domain/claims.js';
import { labelsOf } from '#libs/domain/desired-objects.js';
import { type PortRange, portCandidates } from '#libs/domain/ports.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { settleAll } from '../shared/settle-all.js';

/** Who a claim is made for. */
export interface Claimant {
  readonly name: string;
  readonly uid: string;
  readonly operationId: string;
}

export interface ClaimSpec {
  readonly webspace?: string;
  readonly uid?: string;
  readonly operation?: string;
  readonly until?: string;
}

/** A claim as it was read. */
export interface ClaimObject {
  readonly kind: ClaimKind;
  readonly object: StoredObject;
}

/** Decides on a claim of the same name that is not the claimant's own: whether it may be taken away from what holds it. */
export type MayTake = (held: { readonly kind: ClaimKind; readonly object: StoredObject; readonly spec: ClaimSpec }) => Promise<boolean>;

const RACES = 5;
/** After so many ports that were taken the range is looked at as a whole. */
const PORT_GUESSES = 8;
const TAKEN: Record<ClaimKind, string> = {
  domain: 'The host name',
  address: 'The address',
  portForward: 'The port',
};

export function claimSpec(object: StoredObject): ClaimSpec {
  return (object['spec'] ?? {}) as ClaimSpec;
}

/** Whether a claim's object says what the claim says. */
function says(object: StoredObject, claim: Claim): boolean {
  const spec = object['spec'] as Record<string, unknown>;
  return Object.entries(claim.spec).every(([key, value]) => spec[key] === value);
}

/** Whether the claim was made by this operation, and not by an earlier one of the same webspace. */
function isOf(object: StoredObject, { uid, operationId }: Claimant): boolean {
  const spec = claimSpec(object);
  return spec.uid === uid && spec.operation === operationId;
}

/** Claims: the object of a name belongs to whoever managed to create it. Nothing here looks first and writes afterwards. */
export class Claims {
  readonly #kube: KubernetesClient;
  readonly #addressRestMs: number;

  constructor(kube: KubernetesClient, options: { readonly addressRestSeconds: number }) {
    this.#kube = kube;
    this.#addressRestMs = options.addressRestSeconds * 1000;
  }

  /**
   * Makes the claim, or adopts it when it is this webspace's already.
   * @throws CONFLICT naming what is taken, with `details.heldBy`.
   */
  async ensure(claim: Claim, claimant: Claimant, mayTake: MayTake, signal: AbortSignal): Promise<void> {
    for (let race = 0; race < RACES; race++) {
      try {
        await this.#kube.create(claim.kind, this.#object(claim, claimant), { signal });
        return;
      } catch (error) {
        if (!isPlatformError(error, 'CONFLICT')) throw error;
      }
      const object = await this.#kube.find(claim.kind, claim.name, { signal });
      if (!object) continue;
      const spec = claimSpec(object);
      if (spec.uid === claimant.uid) {
        await this.#correct(object, claim, signal);
        return;
      }
      if (!(await mayTake({ kind: claim.kind, object, spec }))) {
        const heldBy = spec.webspace ?? (spec.until === undefined ? undefined : `nobody, it rests until ${spec.until}`);
        throw new PlatformError('CONFLICT', `${TAKEN[claim.kind]} ${claim.name} is used by a webspace.`, {
          details: { reason: 'claimed', heldBy, legacyMessage: 'used by a webspace' },
        });
      }
      await this.#delete(claim.kind, object, signal);
    }
    throw new PlatformError('STALE', `${TAKEN[claim.kind]} ${claim.name} changes hands too quickly; trying again.`);
  }

  /**
   * Claims one free address of the range. A retry finds what its former attempt claimed.
   * @throws UNAVAILABLE when no address of the range is free.
   */
  async ensureAddress(
    range: AddressRange,
    claimant: Claimant,
    options: { readonly retry: boolean; readonly signal: AbortSignal },
  ): Promise<string> {
    const { signal } = options;
    if (options.retry) {
      const [mine] = await this.#kube.list('address', { labelSelector: `${LABELS.uid}=${claimant.uid}`, signal });
      if (mine) return String((mine['spec'] as { address: string }).address);
    }
    for (const address of addressCandidates(range, claimant.uid)) {
      try {
        await this.ensure(addressClaim(address), claimant, async () => false, signal);
        return address;
      } catch (error) {
        if (!isPlatformError(error, 'CONFLICT')) throw error;
      }
    }
    throw new PlatformError('UNAVAILABLE', `All addresses from ${range.from} to ${range.to} are taken; make platform.addressRange larger.`);
  }

  /**
   * Claims as many free ports of the range as are wanted, in that order, none twice and none of `fixed`. A retry finds what its former attempt
   * claimed, if `seed` is the same.
   * @throws UNAVAILABLE when every port of the range is taken.
   */
  async ensureAnyPorts(
    range: PortRange,
    wanted: readonly Omit<NewPortForward, 'external'>[],
    options: { readonly seed: string; readonly fixed?: readonly PortForward[] },
    claimant: Claimant,
    signal: AbortSignal,
  ): Promise<PortForward[]> {
    // All draw from one sequence: a port that this operation already holds looks like a former attempt's.
    const candidates = portCandidates(range, options.seed);
    const fixed = new Set(options.fixed?.map((port) => portClaim(port).name));
    let refused = 0;
    let taken: ReadonlySet<string> = fixed;
    const draw = async (wanted: Omit<NewPortForward, 'external'>): Promise<PortForward> => {
      for (let next = candidates.next(); !next.done; next = candidates.next()) {
        const port = { ...wanted, external: next.value };
        const claim = portClaim(port);
        if (taken.has(claim.name)) continue;
        if (await this.#claimPort(claim, claimant, signal)) return port;
        if (++refused === PORT_GUESSES) {
          const others = (await this.#kube.list(claim.kind, { signal })).filter((object) => !isOf(object, claimant));
          taken = new Set([...fixed, ...others.map(({ metadata }) => metadata.name)]);
        }
      }
      throw new PlatformError('UNAVAILABLE', `All ${wanted.protocol} ports from ${range.from} to ${range.to} are taken.`);
    };
    return settleAll(wanted.map(draw));
  }

  /** Whether the port is this operation's now, made or left by a former attempt. */
  async #claimPort(claim: Claim, claimant: Claimant, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#kube.create(claim.kind, this.#object(claim, claimant), { signal });
      return true;
    } catch (error) {
      if (!isPlatformError(error, 'CONFLICT')) throw error;
    }
    const object = await this.#kube.find(claim.kind, claim.name, { signal });
    if (!object || !isOf(object, claimant)) return false;
    await this.#correct(object, claim, signal);
    return true;
  }

  async #correct(object: StoredObject, claim: Claim, signal: AbortSignal): Promise<void> {
    if (says(object, claim)) return;
    await this.#kube.replace(claim.kind, { ...object, spec: { ...(object['spec'] as object), ...claim.spec } }, { signal });
  }

  /** Makes the claims of a uid what its record says: releases those it does not name, corrects those that say something else. */
  async align(
    uid: string,
    named: readonly Claim[],
    mayRelease: (claim: Pick<Claim, 'kind' | 'name'>) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = new Map(named.map((claim) => [claimKey(claim), claim]));
    await settleAll(
      (await this.of(uid, signal)).map(async ({ kind, object }) => {
        const claim = wanted.get(claimKey({ kind, name: object.metadata.name }));
        if (!claim) return mayRelease({ kind, name: object.metadata.name }) ? this.release(kind, object, signal) : undefined;
        await this.#correct(object, claim, signal);
      }),
    );
  }

  /** Those of the claims that another uid holds. */
  async heldByOthers(claims: readonly Claim[], uid: string, signal: AbortSignal): Promise<Claim[]> {
    const objects = await settleAll(claims.map((claim) => this.#kube.find(claim.kind, claim.name, { signal })));
    return claims.filter((_claim, i) => {
      const holder = objects[i] && claimSpec(objects[i]).uid;
      return holder !== undefined && holder !== uid;
    });
  }

  /** Every claim of a uid. */
  async of(uid: string, signal: AbortSignal): Promise<ClaimObject[]> {
    const lists = await Promise.all(
      CLAIM_KINDS.map(async (kind) => {
        const objects = await this.#kube.list(kind, { labelSelector: `${LABELS.uid}=${uid}`, signal });
        return objects.filter((object) => claimSpec(object).uid === uid).map((object) => ({ kind, object }));
      }),
    );
    return lists.flat();
  }

  /** All claims of all webspaces, resting addresses included. */
  async all(signal: AbortSignal): Promise<ClaimObject[]> {
    const lists = await Promise.all(
      CLAIM_KINDS.map(async (kind) => (await this.#kube.list(kind, { signal })).map((object) => ({ kind, object }))),
    );
    return lists.flat();
  }

  /** Releases one claim as it was read (STALE when it changed since); an address rests first, so that no visitor meets another tenant. */
  async release(kind: ClaimKind, object: StoredObject, signal: AbortSignal): Promise<void> {
    if (kind !== 'address') return this.#delete(kind, object, signal);
    const { [LABELS.webspace]: _webspace, [LABELS.uid]: _uid, ...labels } = object.metadata.labels ?? {};
    const { address } = object['spec'] as { address: string };
    const spec = { address, until: new Date(Date.now() + this.#addressRestMs).toISOString() };
    try {
      await this.#kube.replace('address', { ...object, metadata: { ...object.metadata, labels }, spec }, { signal });
    } catch (error) {
      if (!isPlatformError(error, 'NOT_FOUND')) throw error;
    }
  }

  /** Removes an address that has rested long enough. */
  async endRest(object: StoredObject, signal: AbortSignal): Promise<boolean> {
    const { until } = claimSpec(object);
    if (until === undefined || Date.parse(until) > Date.now()) return false;
    await this.#delete('address', object, signal);
    return true;
  }

  async #delete(kind: ClaimKind, object: StoredObject, signal: AbortSignal): Promise<void> {
    const { name, uid, resourceVersion } = object.metadata;
    await this.#kube.delete(kind, name, { uid, resourceVersion }, { signal });
  }

  #object(claim: Claim, claimant: Claimant) {
    return {
      metadata: { name: claim.name, labels: labelsOf(claimant.name, claimant.uid) },
      spec: { ...claim.spec, webspace: claimant.name, uid: claimant.uid, operation: claimant.operationId },
    };
  }
}
