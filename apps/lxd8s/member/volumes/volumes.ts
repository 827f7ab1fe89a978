import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import { DISK } from '../runtime/vm/disks.js';
import { checkVolume } from './check.js';
import { type Marker, writeMarker } from './marker.js';

const TIMEOUT_MS = 20_000;
/** What an LXD that was in a cluster has left on its volume (LXD 5.0.2, tried). */
const OF_A_MEMBER = ['cluster.crt', 'cluster.key', 'server.crt', 'server.key', 'database/local.db', 'database/global'];

/** A machine's volume has its disk, and what is in that only the machine can tell. */
const EXPECTED = { container: OF_A_MEMBER, vm: [DISK] } as const;

/** The volumes of this member, checked. */
export type CheckedVolumes = { readonly usable: true; readonly marker: Marker } | { readonly usable: false; readonly why: string };

/** Checks that of LXD and that of storage; the mark of LXD's is the member's. What cannot be used is as it was. */
export async function checkVolumes({ runtime, lxd, volumes, statefulSet, member }: Lxd8sMemberConfig): Promise<CheckedVolumes> {
  const question = { statefulSet, member, mounts: volumes.mounts, timeoutMs: TIMEOUT_MS };
  const own = await checkVolume({ ...question, folder: lxd.folder, expects: EXPECTED[runtime], first: 'allowed' });
  if (!own.usable) return own;
  if (volumes.storage === undefined) return { usable: true, marker: own.marker };
  const known = own.marker.storage;
  const storage = await checkVolume({
    ...question,
    folder: volumes.storage,
    expects: [],
    first: known === undefined ? 'allowed' : 'refused',
  });
  if (!storage.usable) return storage;
  const { uid } = storage.marker;
  if (known === undefined) await writeMarker(lxd.folder, { ...own.marker, storage: uid });
  else if (known !== uid)
    return { usable: false, why: `The volume at ${volumes.storage} is left as it is: it is another one than this member had.` };
  return { usable: true, marker: { ...own.marker, storage: uid } };
}

/** Notes in which cluster the LXD on the volume is. */
export async function noteCluster({ lxd }: Lxd8sMemberConfig, marker: Marker, cluster: string): Promise<Marker> {
  if (marker.cluster === cluster) return marker;
  const next = { ...marker, cluster };
  await writeMarker(lxd.folder, next);
  return next;
}
