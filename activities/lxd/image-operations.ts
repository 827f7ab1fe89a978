import { isPlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Call } from '../shared/guard.js';
import { waitFor } from './operations-on.js';

/** What LXD 5.0.2 calls an operation that makes or removes an image. */
const WORKS_ON_AN_IMAGE = /image/i;

/** What a former attempt began goes on in LXD, which does not say of which image it is. How it ended is not asked: the images are read afterwards. */
export async function waitForImageOperations(call: Call, lxd: LxdClient): Promise<void> {
  for (const { id, description } of await lxd.operations.running({}, { signal: call.signal })) {
    if (!WORKS_ON_AN_IMAGE.test(description)) continue;
    try {
      await waitFor(call, lxd.operations.adopt(id), description);
    } catch (error) {
      if (call.signal.aborted || !isPlatformError(error)) throw error;
    }
  }
}
