import { isPlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { LXD_STATUS } from '#libs/lxd/types.js';
import { waitFor } from '../lxd/operations-on.js';
import type { Call } from '../shared/guard.js';

const BASE = 'volatile.base_image';

/** Fingerprints of the images that instances are made of; undefined when an instance cannot be read. */
export async function basesInUse(lxd: LxdClient, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
  const instances = await lxd.instances.list({ signal });
  if (instances.some(({ status_code }) => status_code === LXD_STATUS.error)) return undefined;
  return new Set(instances.flatMap(({ config }) => config[BASE] ?? []));
}

/** The image is gone, whoever removed it. Its aliases go with it: to be asked for only when it has none. */
export async function removeImage(call: Call, lxd: LxdClient, fingerprint: string): Promise<void> {
  try {
    await waitFor(call, await lxd.images.delete(fingerprint, { signal: call.signal }), `removing image ${fingerprint.slice(0, 12)}`);
  } catch (error) {
    if (!isPlatformError(error, 'NOT_FOUND')) throw error;
  }
}
