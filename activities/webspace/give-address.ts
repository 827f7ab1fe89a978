import type { Acting } from '#libs/contracts/activities.js';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { phaseOf } from '#libs/domain/phase.js';
import { uidOfObject } from '#libs/domain/projection.js';
import { serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { ownNic } from '../lxd/nic.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import type { Taken } from './take.js';

/**
 * A webspace of the original, which used DHCP, has an address of its own from its next planned start on. One that runs, and one that is started
 * while claims are being rebuilt, keeps what DHCP gives it. Gives the record as it is afterwards. @throws STALE when the instance changed since.
 */
export async function giveAddress(deps: Deps, call: Call, acting: Acting, { found, record }: Taken): Promise<WebspaceRecord> {
  const { lxd, kube, claims, installation, projection, platform } = deps;
  const { name, operationId } = acting;
  const { signal } = call;
  if (record.network.address !== undefined || phaseOf(found.value.status_code) !== 'stopped') return record;
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
