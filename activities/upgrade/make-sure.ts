import { setTimeout as pause } from 'node:timers/promises';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';

const POLL_MS = 500;
const SECONDS = 90;

/**
 * Before what cannot be taken back. Looks more than once before it refuses: on a busy machine a member that came back a moment ago may be late, or
 * the API server that tells of its pod.
 * @throws PlatformError CONFLICT with `refusal` and what still hinders it.
 */
export async function makeSure(call: Call, refusal: string, whyNot: () => Promise<string | undefined>, seconds = SECONDS): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const reason = await whyNot();
    if (reason === undefined) return;
    if (Date.now() >= deadline) throw new PlatformError('CONFLICT', `${refusal} ${reason}`);
    call.waiting({ waitingFor: `looked at once more: ${reason}`, deadline: new Date(deadline).toISOString() });
    await pause(POLL_MS, undefined, { signal: call.signal });
  }
}
