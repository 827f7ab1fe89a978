import type { Acting, Busy, WebspaceFacts } from '#libs/contracts/activities.js';
import type { CreateWebspaceInput, PortForward } from '#libs/contracts/operations.js';
import { isArchiveAlias, mayBeUsedBy } from '#libs/domain/archive.js';
import { domainClaim } from '#libs/domain/claims.js';
import { defaultHost } from '#libs/domain/names.js';
import type { Platform } from '#libs/domain/platform.js';
import { parseRecord, uidOf, type WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { assertNotDeleted } from '../kubernetes/lock.js';
import { Instances } from '../lxd/instances.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import { factsOf } from './facts.js';
import { leftBehind } from './left-behind.js';

const exists = (name: string) => new PlatformError('CONFLICT', 'already exists', { details: { reason: 'exists', webspace: name } });

/** Nothing is made yet: while a system stays away the caller gets an answer, not a creation hours later. */
const CLAIM_PATIENCE_MS = 45_000;
const SSH_PORT = 22;

/** The first step of a creation, up to a webspace that is whole and published. */
export function createSteps(deps: Deps) {
  const { lxd, locks, claims, projection, installation, platform, replacedMembers } = deps;
  const instances = new Instances(lxd, platform);

  async function resolveImage(image: string, ownerId: string, signal: AbortSignal): Promise<WebspaceRecord['image']> {
    const byFingerprint = /^[0-9a-f]{64}$/.test(image);
    const unknown = (message: string) =>
      new PlatformError('NOT_FOUND', message, { details: { field: 'image', image, legacyMessage: 'not found' } });
    const known = async <T>(read: Promise<T>): Promise<T> => {
      try {
        return await read;
      } catch (error) {
        throw isPlatformError(error, 'NOT_FOUND') ? unknown(error.message) : error;
      }
    };
    const fingerprint = byFingerprint ? image : await known(lxd.images.resolveAlias(image, { signal }));
    if (byFingerprint || isArchiveAlias(image)) {
      const found = await known(lxd.images.get(fingerprint, { signal }));
      if (!mayBeUsedBy(found, ownerId)) throw unknown(`There is no image "${image}".`);
    }
    return byFingerprint ? { fingerprint } : { alias: image, fingerprint };
  }

  /** The record of a new webspace, or of what a former attempt of this creation has made. */
  async function claim(call: Call, input: CreateWebspaceInput): Promise<{ readonly record: WebspaceRecord } | Busy> {
    const { name, uid, operationId, owner } = input;
    const { signal } = call;
    const acting: Acting = { kind: 'create', name, operationId, uid };
    const [acquired, image] = await settleAll([
      locks.acquire(acting, call.me, signal),
      resolveImage(input.image, owner.id, signal),
      installation.assertClaimsOpen(signal),
    ]);
    if ('busy' in acquired) {
      // One that was terminated is no webspace, and does not become one while its lock is waited for.
      const creating = acquired.kind === 'create' && !acquired.ended;
      const taken = creating || (acquired.kind !== 'delete' && (await instances.find(name, signal)));
      if (taken) throw exists(name);
      return { busy: acquired.busy };
    }
    assertNotDeleted(acquired.lock, uid);
    const claimant = { name, uid, operationId };
    // Read under the lock: whatever else acts on this name has ended.
    const found = instances.find(name, signal);
    const host = defaultHost(owner.username, platform.baseDomain);
    const claimed = settleAll([
      claims.ensureAddress(platform.addressRange, claimant, { retry: call.attempt > 1, signal }),
      claims.ensure(
        domainClaim(host),
        claimant,
        leftBehind(name, async () => (await found) !== undefined, installation, signal),
        signal,
      ),
      claims.ensureAnyPorts(
        platform.portRange,
        input.extras?.sshKey === undefined ? [] : [{ protocol: 'tcp', internal: SSH_PORT }],
        { seed: operationId },
        claimant,
        signal,
      ),
    ]);
    // The claims of one that exists are taken, too: that it exists says more.
    const [instance] = await settleAll([found, claimed.catch(() => undefined)]);
    if (instance && uidOf(instance.value) !== uid) throw exists(name);
    const [address, , ports] = await claimed;
    const made = instance && parseRecord(instance.value);
    return { record: made ?? newRecord(input, image, { address, ports }, platform) };
  }

  return {
    async makeWebspace(call: Call, input: CreateWebspaceInput): Promise<WebspaceFacts | Busy> {
      const claimed = await claim(call, input).catch((error: unknown) => {
        throw call.sinceMs() > CLAIM_PATIENCE_MS && isPlatformError(error) ? error.final() : error;
      });
      if ('busy' in claimed) return claimed;
      const { record } = claimed;
      const target = await replacedMembers.placeForNew(call.signal);
      await settleAll([instances.ensure(call, input.name, record, target), projection.ensureNew(input.name, record, call.signal)]);
      return factsOf(record, platform);
    },
  };
}

function newRecord(
  { uid, operationId, owner, extras }: CreateWebspaceInput,
  image: WebspaceRecord['image'],
  { address, ports }: { readonly address: string; readonly ports: readonly PortForward[] },
  { defaults }: Platform,
): WebspaceRecord {
  return {
    schema: 1,
    uid,
    phase: extras ? 'creating' : 'ready',
    createdBy: operationId,
    owner: { id: owner.id, username: owner.username },
    http: { port: defaults.httpPort, startupDelaySeconds: defaults.startupDelaySeconds, sniPassthrough: false },
    domains: [],
    ports: ports.map((port) => ({ ...port })),
    network: { address },
    policy: { alwaysOn: false },
    image,
    createdAt: new Date().toISOString(),
  };
}
