import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import type { LeftRunning } from './left-running.js';
import type { LxdRun, Runtime } from './runtime/runtime.js';

export interface StopParts {
  readonly runtime: Runtime;
  readonly lxd: OwnMember;
  readonly leftRunning: Pick<LeftRunning, 'note'>;
  /** Undefined when LXD does not run. */
  readonly run: LxdRun | undefined;
  /** Whether LXD serves: one that does not cannot be asked for anything. */
  readonly serves: boolean;
  readonly graceSeconds: number;
  /** Of it, for LXD itself. */
  readonly reserveSeconds: number;
  readonly log: Logger;
}

const POLL_MS = 100;
const LXD_ENDS_MS = 2_000;
/** Of the time of the containers, for those that LXD has not stopped by then: without a quorum it stops none, and does not say so. */
const DIRECTLY = { most: 10_000, part: 1 / 3 } as const;

/**
 * Ends the member within its grace period. LXD stops its containers, all at once by descending `boot.stop.priority`, each with its own
 * `boot.host_shutdown_timeout`, hands its roles to other members, and ends; what ran will run again after the next start. Containers that it has not stopped when a
 * third of the time is left (ten seconds at most), and all of those where LXD does not serve, are asked to power off as it would ask them. Returns the
 * names of those that did not end in time.
 */
export async function stopMember(parts: StopParts): Promise<string[]> {
  const { runtime, leftRunning, log, run, graceSeconds, reserveSeconds } = parts;
  const timeMs = Math.max(graceSeconds - reserveSeconds, 1) * 1000;
  const until = Date.now() + timeMs;
  const instances = (await runtime.instances()).map(({ name }) => name);
  log.info({ instances, graceSeconds }, 'stopping');
  // A volume that is full keeps nobody from stopping.
  await leftRunning.note(instances).catch((error: unknown) => log.error({ error: messageOf(error) }, 'what runs cannot be written down'));
  const ended =
    run === undefined || (parts.serves && (await shutDown(parts, run, until - Math.min(DIRECTLY.most, timeMs * DIRECTLY.part))));
  // One that does not serve is ended first: it would take the end of its containers for their own wish.
  if (run && !ended && !parts.serves) await end(run);
  for (const instance of await runtime.instances()) runtime.powerOff(instance);
  while (Date.now() < until && (await runtime.instances()).length > 0) await delay(POLL_MS);
  const left = (await runtime.instances()).map(({ name }) => name);
  if (left.length > 0) log.error({ left }, 'containers that have not ended in time are ended with the pod');
  if (run && !ended && parts.serves) await end(run);
  return left;
}

/** Whether LXD has ended by itself, its containers with it. */
async function shutDown({ lxd, log, graceSeconds }: StopParts, run: LxdRun, until: number): Promise<boolean> {
  const giveUp = new AbortController();
  const asked = lxd.shutdown({ timeoutMs: graceSeconds * 1000 }).then(
    () => 'answered' as const,
    (error: unknown) => messageOf(error),
  );
  try {
    const late = delay(Math.max(until - Date.now(), 1), 'it has not stopped all containers in time' as const, { signal: giveUp.signal });
    const first = await Promise.race([run.ended.then(() => 'ended' as const), asked, late]);
    if (first === 'ended') return true;
    if (first !== 'it has not stopped all containers in time') {
      // It answers when all is stopped, and ends then; or its connection breaks as it ends.
      const then = await Promise.race([
        run.ended.then(() => 'ended' as const),
        delay(LXD_ENDS_MS, 'runs' as const, { signal: giveUp.signal }),
      ]);
      if (then === 'ended') return true;
    }
    log.warn({ said: first }, 'LXD has not shut down');
    return false;
  } finally {
    giveUp.abort();
  }
}

/** A member that waits for others ignores SIGTERM (LXD 5.0.2, tried). */
async function end(run: LxdRun): Promise<void> {
  run.kill('SIGTERM');
  const giveUp = new AbortController();
  const ended = await Promise.race([run.ended.then(() => true), delay(LXD_ENDS_MS, false, { signal: giveUp.signal })]);
  giveUp.abort();
  if (!ended) run.kill('SIGKILL');
  await run.ended;
}
