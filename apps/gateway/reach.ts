import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Phase } from '#libs/contracts/webspaces-api.js';
import { isPlatformError, noWebspace, PlatformError } from '#libs/errors/platform-error.js';
import { dialUntil } from '#libs/net/dial.js';
import type { Boots, Started, Trigger } from './boots.js';
import type { WebspaceView } from './directory.js';

export interface Visit {
  readonly trigger: Trigger;
  /** Host name or port, for Temporal UI. */
  readonly visited: string;
  readonly signal: AbortSignal;
}

/** Of a port that accepts: many who come at once may have to wait for their turn, as they would without us. */
const QUEUE_MS = 15_000;
/** Between two boots for one visitor. */
const AGAIN_MS = 100;
const OFF: ReadonlySet<Phase> = new Set<Phase>(['stopping', 'stopped', 'paused']);

/**
 * A connection to a port of the webspace, which boots for it when it is off. Its readiness is that the port accepts; after LXD has started it
 * that is waited for as long as its start-up delay says. One that was stopped again meanwhile is booted again, for as long as a visitor may
 * be held. Where no boot can be asked for, one that runs without anybody having said so yet is reached all the same.
 * @throws PlatformError the boot's own; UNAVAILABLE when the port accepts nothing in time; NOT_FOUND when the webspace is deleted meanwhile;
 * CANCELLED when the visitor has left.
 */
export async function reach(boots: Boots, view: WebspaceView, port: number, { trigger, visited, signal }: Visit): Promise<Socket> {
  if (view.phase === 'running' && view.address !== undefined) {
    const socket = await dialUntil({ address: view.address, port }, 0, signal);
    if (socket) return socket;
  }
  const heldUntil = Date.now() + boots.holdMs;
  for (;;) {
    const started = await boots.started(view, trigger, visited).catch((error: unknown) => runsAnyway(boots, view, port, error));
    const { address, at } = started;
    const deadline = at + view.http.startupDelaySeconds * 1000;
    const listening = address !== '' && (await boots.accepts({ address, port }, deadline));
    const socket = listening ? await dialUntil({ address, port }, Math.max(deadline, Date.now() + QUEUE_MS), signal) : undefined;
    if (socket) return socket;
    if (signal.aborted) throw new PlatformError('CANCELLED', 'The visitor has left.');
    const now = boots.view(view.name);
    if (now?.uid !== view.uid) throw noWebspace(view.name);
    // A boot that ends just before a stop begins tells of a start that is over.
    if (OFF.has(now.phase) && Date.now() < heldUntil) {
      await delay(AGAIN_MS);
      continue;
    }
    const where = address === '' ? 'has no address' : `does not listen on port ${port}`;
    throw new PlatformError('UNAVAILABLE', `The webspace runs, but ${where}.`, {
      details: { reason: 'not-listening', retryAfterMs: 2_000 },
    });
  }
}

/** What is published of a webspace lags behind it while Temporal is away: what accepts needs no boot. A paused one would accept, and be silent. */
async function runsAnyway(
  boots: Boots,
  { name, address }: WebspaceView,
  port: number,
  error: unknown,
): Promise<Pick<Started, 'address' | 'at'>> {
  const away = isPlatformError(error) && error.code === 'UNAVAILABLE';
  if (!away || address === undefined || boots.view(name)?.phase === 'paused') throw error;
  if (!(await boots.accepts({ address, port }, 0))) throw error;
  return { address, at: Date.now() };
}
