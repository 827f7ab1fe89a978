import { PlatformError } from '#libs/errors/platform-error.js';
import { type HeaderMap, headerOf } from './http.js';
import type { RateState } from './types.js';

const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;

export interface Answer {
  readonly status: number;
  readonly headers: HeaderMap;
  /** GitHub's own sentence. */
  readonly says: string;
}

interface Pause {
  readonly untilMs: number;
  /** How often in a row GitHub said no without saying when. */
  readonly times: number;
}

/**
 * GitHub's primary and secondary limits, kept for each identity. Nothing waits here: a limit is an error that says when to come again, and until
 * then further calls get it without GitHub being asked (who goes on may be banned).
 */
export class RateLimits {
  readonly #pauses = new Map<string, Pause>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @throws PlatformError RATE_LIMITED during a pause that GitHub asked for. */
  check(identity: string, what: string): void {
    const { untilMs = 0 } = this.#pauses.get(identity) ?? {};
    if (untilMs > this.#now()) throw limited(what, untilMs - this.#now(), { asked: false });
  }

  /** @throws PlatformError RATE_LIMITED when the answer is a limit: after `retry-after`, else at `x-ratelimit-reset`, else in 60 s, doubling. */
  note(identity: string, what: string, answer: Answer): void {
    if (!isLimit(answer)) {
      if (answer.status < 400) this.#pauses.delete(identity);
      return;
    }
    const times = (this.#pauses.get(identity)?.times ?? 0) + 1;
    const told = toldPause(answer.headers, this.#now());
    const pauseMs = told ?? Math.min(FIRST_PAUSE_MS * 2 ** (times - 1), LONGEST_PAUSE_MS);
    this.#pauses.set(identity, { untilMs: this.#now() + pauseMs, times: told === undefined ? times : 0 });
    throw limited(what, pauseMs, { asked: true, status: answer.status });
  }
}

/** What the headers say of the budget. */
export function rateOf(headers: HeaderMap): RateState {
  const reset = numberOf(headers, 'x-ratelimit-reset');
  return {
    ...given('remaining', numberOf(headers, 'x-ratelimit-remaining')),
    ...given('limit', numberOf(headers, 'x-ratelimit-limit')),
    ...given('resetAtMs', reset === undefined ? undefined : reset * 1000),
  };
}

/** Milliseconds from `retry-after`, in seconds or as a date. */
export function retryAfterOf(headers: HeaderMap, nowMs: number): number | undefined {
  const text = headerOf(headers, 'retry-after');
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}

function isLimit({ status, headers, says }: Answer): boolean {
  if (status === 429) return true;
  if (status !== 403) return false;
  return (
    headers['retry-after'] !== undefined || headerOf(headers, 'x-ratelimit-remaining') === '0' || /rate limit|abuse detection/i.test(says)
  );
}

function toldPause(headers: HeaderMap, nowMs: number): number | undefined {
  const after = retryAfterOf(headers, nowMs);
  if (after !== undefined) return Math.max(after, 1000);
  const { remaining, resetAtMs } = rateOf(headers);
  if (remaining !== 0 || resetAtMs === undefined) return undefined;
  // GitHub's own clock beside its own time: ours may be off.
  const serverNow = Date.parse(headerOf(headers, 'date') ?? '');
  return Math.max(resetAtMs - (Number.isNaN(serverNow) ? nowMs : serverNow), 1000);
}

function limited(what: string, retryAfterMs: number, details: Record<string, unknown>): PlatformError {
  return new PlatformError('RATE_LIMITED', `GitHub lets us ${what} again in ${Math.ceil(retryAfterMs / 1000)} s.`, {
    details: { retryAfterMs, ...details },
  });
}

function numberOf(headers: HeaderMap, name: string): number | undefined {
  const text = headerOf(headers, name);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function given<K extends string, T>(key: K, value: T | undefined): Partial<Record<K, T>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, T>);
}
