import type { Acting } from '#libs/contracts/activities.js';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { phaseOf } from '#libs/domain/phase.js';
import { uidOfObject } from '#libs/domain/projection.js';
import { serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { guardedNic, ownNic } from '../lxd/nic.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import type { Taken } from './take.js';

/**
 * Before a planned start the interface of a webspace becomes what that of a new one is: with an address of its own, and with guards against the
 * use of others'. One that runs keeps what it has. Gives the record as it is afterwards. @throws STALE when the instance changed since.
 */
export async function alignNic(deps: Deps, call: Call, acting: Acting, taken: Taken): Promise<WebspaceRecord> {
  const { found, record } = taken;
  if (phaseOf(found.value.status_code) !== 'stopped') return record;
  if (record.network.address === undefined) return giveAddress(deps, call, acting, taken);
  const eth0 = guardedNic(deps.platform, found.value);
  const { signal } = call;
  if (eth0) await deps.lxd.instances.patchConfig(acting.name, {}, { etag: found.etag, devices: { eth0 }, signal });
  return record;
}

/** A webspace of the original used DHCP. One that is started while claims are being rebuilt keeps what DHCP gives it. */
async function giveAddress(deps: Deps, call: Call, acting: Acting, { found, record }: Taken): Promise<WebspaceRecord> {
  const { lxd, kube, claims, installation, projection, platform } = deps;
  const { name, operationId } = acting;
  const { signal } = call;
  if (!(await installation.claimsAreOpen(signal))) return record;
  const claimant = { name, uid: record.uid, operationId };
  const address = await claims.ensureAddress(platform.addressRange, claimant, { retry: true, signal });
  const changed: WebspaceRecord = { ...record, network: { ...record.network, address } };
  const devices = { eth0: ownNic(platform, address, found.value.expanded_devices?.['eth0']) };
  await lxd.instances.patchConfig(name, { [RECORD_KEY]: serialiseRecord(changed) }, { etag: found.etag, devices, signal });
  const webspace = await kube.find('webspace', name, { signal });
  if (webspace && uidOfObject(webspace) === record.uid) await projection.writeAddress(webspace, address, signal);
  return changed;
}
