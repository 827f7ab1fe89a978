import type { Acting, Busy, WebspaceFacts } from '#libs/contracts/activities.js';
import type { CreateWebspaceInput } from '#libs/contracts/operations.js';
import { claimKey, claimsOf, domainClaim } from '#libs/domain/claims.js';
import { defaultHost } from '#libs/domain/names.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { MayTake } from '../kubernetes/claims.js';
import { Instances } from '../lxd/instances.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import { factsOf, recordOf } from './facts.js';

const exists = (name: string) => new PlatformError('CONFLICT', 'already exists', { details: { reason: 'exists', webspace: name } });

/** The steps of a creation. */
export function createSteps(deps: Deps) {
  const { lxd, locks, claims, projection, installation, platform } = deps;
  const instances = new Instances(lxd, platform);

  async function resolveImage(image: string, signal: AbortSignal): Promise<WebspaceRecord['image']> {
    if (/^[0-9a-f]{64}$/.test(image)) return { fingerprint: (await lxd.images.get(image, { signal })).fingerprint };
    return { alias: image, fingerprint: await lxd.images.resolveAlias(image, { signal }) };
  }

  /** A claim that another uid of our own name left behind: we hold the lock, and its instance is gone from the LXD of this installation. */
  function leftBehind(name: string, instance: Promise<unknown>, signal: AbortSignal): MayTake {
    return async ({ spec }) => spec.webspace === name && (await instance) === undefined && (await installation.isPinnedLxd(signal));
  }

  return {
    async prepareCreation(call: Call, input: CreateWebspaceInput): Promise<WebspaceFacts | Busy> {
      const { name, uid, operationId, owner } = input;
      const { signal } = call;
      const host = defaultHost(owner.username, platform.baseDomain);
      const acting: Acting = { kind: 'create', name, operationId, uid };
      const [acquired, image] = await settleAll([
        locks.acquire(acting, call.me, signal),
        resolveImage(input.image, signal),
        installation.assertClaimsOpen(signal),
      ]);
      if ('busy' in acquired) {
        // One that was terminated is no webspace, and does not become one while its lock is waited for.
        const creating = acquired.kind === 'create' && !acquired.ended;
        const taken = creating || (acquired.kind !== 'delete' && (await instances.find(name, signal)));
        if (taken) throw exists(name);
        return { busy: acquired.busy };
      }
      const claimant = { name, uid, operationId };
      // Read under the lock: whatever else acts on this name has ended.
      const found = instances.find(name, signal);
      const claimed = settleAll([
        claims.ensureAddress(platform.addressRange, claimant, { retry: call.attempt > 1, signal }),
        claims.ensure(domainClaim(host), claimant, leftBehind(name, found, signal), signal),
      ]);
      // The claims of one that exists are taken, too: that it exists says more.
      const [instance] = await settleAll([found, claimed.catch(() => undefined)]);
      if (instance) throw exists(name);
      const [address] = await claimed;
      const record: WebspaceRecord = {
        schema: 1,
        uid,
        phase: 'ready',
        createdBy: operationId,
        owner: { id: owner.id, username: owner.username },
        http: { port: platform.defaults.httpPort, startupDelaySeconds: platform.defaults.startupDelaySeconds, sniPassthrough: false },
        domains: [],
        ports: [],
        network: { address },
        policy: { alwaysOn: false },
        image,
        createdAt: new Date().toISOString(),
      };
      return factsOf(record, platform);
    },

    async ensureInstance(call: Call, acting: Acting, facts: WebspaceFacts): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      await instances.ensure(call, acting.name, recordOf(facts));
    },

    async ensureProjection(call: Call, acting: Acting, facts: WebspaceFacts): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      const record = recordOf(facts);
      if (acting.kind === 'create') return projection.ensureNew(acting.name, record, call.signal);
      // A site that is being restored may be running: its route must not lead elsewhere meanwhile.
      const withheld = await claims.heldByOthers(claimsOf(record, platform.baseDomain), record.uid, call.signal);
      await projection.ensureWebspace(acting.name, record, withheld.map(claimKey), call.signal);
    },
  };
}
