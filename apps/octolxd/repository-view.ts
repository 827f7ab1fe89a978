import { setTimeout as delay } from 'node:timers/promises';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { ReleaseListing, Repository } from '#libs/github/types.js';
import type { Logger } from '#libs/logging/logger.js';
import type { DiskStore } from './disk/disk-store.js';
import { Offered, type ServedFile } from './offered.js';
import type { StoredListing } from './releases/listing-schema.js';
import type { ReadReleases, ReleaseOutcome } from './releases/read-releases.js';
import type { Upstream } from './upstream.js';

export interface ViewOptions {
  readonly upstream: Upstream;
  readonly releases: ReadReleases;
  readonly listings: DiskStore<StoredListing>;
  readonly refreshMs: number;
  readonly deepRefreshMs: number;
  readonly firstViewMs: number;
  readonly refreshWaitMs: number;
  readonly log: Logger;
  readonly now: () => number;
}

/** What a repository offers, and how far that can be relied on. */
export interface ViewAnswer {
  readonly offered: Offered;
  /** Since GitHub last confirmed it. */
  readonly ageSeconds: number;
  /** Why it is older than it should be; absent when it is fresh. */
  readonly stale?: PlatformError;
}

const FIRST_BACK_OFF_MS = 2_000;
/** A refresh that is about to end is worth it. */
const SHORTEST_WAIT_MS = 50;
/** A listing on disk says at least so exactly when GitHub confirmed it. */
const SAY_CONFIRMED_MS = 600_000;

/**
 * One repository: its releases as GitHub last told them, and the documents made of them. One refresh at a time for any number of clients; none
 * while fresh, one conditional call when not. What GitHub does not answer changes nothing: the last good documents are given, with their age.
 */
export class RepositoryView {
  #listing: ReleaseListing | undefined;
  #offered: Offered | undefined;
  #confirmedAt: number | undefined;
  #deepAt = 0;
  #storedAt = 0;
  #trouble: { readonly error: PlatformError; readonly retryAt: number; readonly backOffMs: number } | undefined;
  #refresh: { readonly ended: Promise<void>; readonly begunAt: number } | undefined;
  #progress: { readonly listing: ReleaseListing; readonly outcomes: Map<number, ReleaseOutcome> } | undefined;
  readonly #stopping = new AbortController();

  constructor(
    readonly repository: Repository,
    private readonly options: ViewOptions,
  ) {}

  /** What was kept of an earlier process, without a call to GitHub's API. */
  async restore(): Promise<void> {
    const stored = await this.options.listings.get(this.#key);
    if (!stored) return;
    this.#listing = stored.listing;
    this.#confirmedAt = stored.confirmedAtMs;
    this.#storedAt = stored.confirmedAtMs;
    this.#deepAt = stored.deepAtMs;
  }

  /** Whether GitHub has ever shown it to us. */
  get known(): boolean {
    return this.#listing !== undefined;
  }

  /** The answer when nothing has to be asked or waited for. */
  fresh(): ViewAnswer | undefined {
    const ageMs = this.options.now() - (this.#confirmedAt ?? 0);
    if (this.#offered === undefined || ageMs >= this.options.refreshMs || this.#refresh) return undefined;
    return { offered: this.#offered, ageSeconds: secondsOf(ageMs) };
  }

  /** What is offered, without asking anybody. */
  last(): ViewAnswer | undefined {
    return this.#offered && this.#answerOf(this.#offered);
  }

  /**
   * Fresh, or after a refresh that is waited for, or the last good one. @throws PlatformError what GitHub answered, when there is nothing good:
   * NOT_FOUND, RATE_LIMITED, UNAVAILABLE, DENIED_UPSTREAM, PROTOCOL.
   */
  async look(): Promise<ViewAnswer> {
    const fresh = this.fresh();
    if (fresh) return fresh;
    if (this.#trouble && this.#trouble.retryAt > this.options.now()) return this.#lastGood(this.#trouble.error);
    const waited = await this.#waitForRefresh();
    if (!waited) await this.#offerWhatWasRead();
    return this.#lastGood(this.#trouble?.error ?? tooSlow(waited));
  }

  /** A file that was offered, also of documents that a client may still have. */
  file(path: string): ServedFile | undefined {
    return this.#offered?.file(path);
  }

  /** An asset was not there: the next look asks for every page, unless that was just done. */
  doubt(): void {
    if (this.options.now() - this.#deepAt < this.options.refreshMs) return;
    this.#deepAt = 0;
    this.#confirmedAt = Math.min(this.#confirmedAt ?? 0, this.options.now() - this.options.refreshMs);
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Whether it ended in time. One that takes long is waited for by those who came at its beginning only. */
  #waitForRefresh(): Promise<boolean> {
    const { now, refreshWaitMs, firstViewMs } = this.options;
    this.#refresh ??= {
      begunAt: now(),
      ended: this.#refreshOnce().finally(() => {
        this.#refresh = undefined;
      }),
    };
    const { ended, begunAt } = this.#refresh;
    const patienceMs = this.#offered ? refreshWaitMs : firstViewMs;
    return settledWithin(ended, Math.max(SHORTEST_WAIT_MS, begunAt + patienceMs - now()));
  }

  get #key(): string {
    return `${this.repository.owner}/${this.repository.name}`.toLowerCase();
  }

  #lastGood(error: PlatformError): ViewAnswer {
    if (this.#trouble && isPlatformError(this.#trouble.error, 'NOT_FOUND')) throw this.#trouble.error;
    if (this.#offered === undefined) throw error;
    return this.#answerOf(this.#offered, error);
  }

  #answerOf(offered: Offered, error?: PlatformError): ViewAnswer {
    const ageMs = this.options.now() - (this.#confirmedAt ?? this.options.now());
    const stale = ageMs >= this.options.refreshMs ? (error ?? this.#trouble?.error) : undefined;
    return { offered, ageSeconds: secondsOf(ageMs), ...(stale ? { stale } : {}) };
  }

  async #refreshOnce(): Promise<void> {
    const { upstream, now, log, deepRefreshMs } = this.options;
    try {
      // What is on disk may be all there is, should GitHub be away.
      if (this.#listing && !this.#offered) await this.#read(this.#listing).catch((error: unknown) => this.#note(error));
      const deep = now() - this.#deepAt >= deepRefreshMs;
      const { listing, changed } = await upstream.listReleases(this.repository, {
        ...(this.#listing ? { known: this.#listing } : {}),
        depth: deep ? 'all' : 'first',
        signal: this.#stopping.signal,
      });
      if (deep) this.#deepAt = now();
      this.#listing = listing;
      if (changed || !this.#offered?.complete) await this.#read(listing);
      this.#confirmedAt = now();
      this.#trouble = undefined;
      if (changed || now() - this.#storedAt > SAY_CONFIRMED_MS) await this.#store(listing);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (isPlatformError(error, 'NOT_FOUND')) await this.#forget();
      else log.warn({ repository: this.#key, err: error }, 'a repository could not be refreshed');
      this.#note(error);
    }
  }

  async #read(listing: ReleaseListing): Promise<void> {
    const outcomes = new Map<number, ReleaseOutcome>();
    this.#progress = { listing, outcomes };
    try {
      await this.options.releases.read(this.repository, listing, outcomes);
      await this.#offer(listing, outcomes);
    } finally {
      this.#progress = undefined;
    }
  }

  /** The first view of a large repository may take longer than a client waits. */
  async #offerWhatWasRead(): Promise<void> {
    const { listing, outcomes } = this.#progress ?? {};
    if (!listing || !outcomes || this.#offered?.complete) return;
    const some = [...outcomes.values()].some(({ versions }) => versions.length > 0);
    if (some) await this.#offer(listing, outcomes);
  }

  async #offer(listing: ReleaseListing, outcomes: ReadonlyMap<number, ReleaseOutcome>): Promise<void> {
    const releases = listing.pages.flatMap((page) => page.releases);
    this.#offered = await Offered.of({ repository: this.repository, releases, outcomes, before: this.#offered, nowMs: this.options.now() });
    for (const { tag, architecture, reason } of this.#offered.newlyLeftOut) {
      this.options.log.warn({ repository: this.#key, tag, architecture, reason }, 'left out');
    }
  }

  async #store(listing: ReleaseListing): Promise<void> {
    this.#storedAt = this.options.now();
    await this.options.listings.set(this.#key, { version: 1, listing, confirmedAtMs: this.#storedAt, deepAtMs: this.#deepAt });
  }

  /** GitHub does not show it any more. */
  async #forget(): Promise<void> {
    this.#listing = undefined;
    this.#offered = undefined;
    await this.options.listings.delete(this.#key);
  }

  #note(error: unknown): void {
    const known = isPlatformError(error)
      ? error
      : new PlatformError('UNAVAILABLE', 'The releases could not be read.', { cause: error, details: { reason: 'unknown' } });
    const backOffMs = Math.min(this.options.refreshMs, (this.#trouble?.backOffMs ?? FIRST_BACK_OFF_MS / 2) * 2);
    this.#trouble = { error: known, backOffMs, retryAt: this.options.now() + Math.max(backOffMs, known.details.retryAfterMs ?? 0) };
  }
}

function tooSlow(waited: boolean): PlatformError {
  const message = waited ? 'The releases could not be read.' : 'The releases are still being read. Try again in a few seconds.';
  return new PlatformError('UNAVAILABLE', message, { details: { retryAfterMs: 5_000, reason: 'reading' } });
}

const secondsOf = (ms: number): number => Math.max(0, Math.floor(ms / 1000));

/** Whether it ended in time, in whatever way. */
async function settledWithin(work: Promise<void>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(ms, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    timer.abort();
  }
}
