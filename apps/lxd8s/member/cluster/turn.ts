import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import { OPERATION_MS } from '#libs/lxd/own-member.js';
import type { Cluster, ClusterRecord } from './record.js';

/** In its turn a member gets tokens for so long, as often as it asks: most joins that fail do so at once. */
const TOKENS_MS = 150_000;
/** The next one's turn begins when no join by them is under way any more. */
const TURN_MS = TOKENS_MS + OPERATION_MS + 30_000;

/** @throws PlatformError UNAVAILABLE while another one joins, or at the end of the member's own turn. */
export function assertTurn({ joining }: Cluster, member: string): void {
  if (!joining || ageOf(joining) > TURN_MS) return;
  if (joining.member !== member) throw new PlatformError('UNAVAILABLE', `${joining.member} joins at this moment, and ${member} is next`);
  if (ageOf(joining) <= TOKENS_MS) return;
  const seconds = Math.ceil((TURN_MS - ageOf(joining)) / 1000);
  throw new PlatformError('UNAVAILABLE', `its turn to join is over; it may try again in ${seconds} s, if nobody else joins then`);
}

/** The turn of a member that may join: asking again does not make it longer, or one whose join always fails would keep the others out for ever. */
export function turnOf(member: string, { joining }: Cluster): NonNullable<Cluster['joining']> {
  if (joining?.member === member && ageOf(joining) <= TURN_MS) return joining;
  return { member, since: new Date().toISOString() };
}

export interface Turn {
  readonly member: string;
  readonly record: ClusterRecord;
  readonly log: Logger;
}

/** Joins, and ends the member's turn; one that may still become a member keeps it. @throws what the join throws. */
export async function inTurn({ member, record, log }: Turn, join: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await join();
  } catch (error) {
    if (isPlatformError(error) && error.code !== 'UNAVAILABLE') await end();
    throw error;
  }
  await end();

  async function end(): Promise<void> {
    const ended = (now: Cluster) => (now.joining?.member === member ? { ...now, joining: undefined } : now);
    await record.changeInTurn(ended, signal).catch((error: unknown) => {
      // The others' turn comes by time then.
      log.warn({ error: messageOf(error) }, 'the next member is not told that it is its turn');
    });
  }
}

function ageOf({ since }: NonNullable<Cluster['joining']>): number {
  return Date.now() - Date.parse(since);
}
