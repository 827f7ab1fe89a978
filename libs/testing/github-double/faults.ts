/** Which requests a fault hits: part of `METHOD place /path?query`, place being `api`, `web` or `storage`. Default: every one. */
export interface FaultLimits {
  readonly match?: RegExp;
  /** How many requests it hits; default all until `clear()`. */
  readonly times?: number;
  /** So many requests that it would hit pass first. */
  readonly after?: number;
}

export interface FaultAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Fault =
  | { readonly kind: 'drop' }
  /** What was asked is done, but nobody hears of it. */
  | { readonly kind: 'lose' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly ms: number }
  | ({ readonly kind: 'answer' } & FaultAnswer)
  /** The head says what it should, then the connection ends, or nothing more comes, after so many bytes of the body. */
  | { readonly kind: 'cut' | 'stall'; readonly afterBytes: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  | { readonly kind: 'ignore-range' };

/** What goes wrong, to be switched by a test at any time. Of several faults that match, the oldest counts. */
export class GithubFaults {
  readonly #faults: { readonly match: RegExp; left: number; after: number; readonly fault: Fault }[] = [];

  add(fault: Fault, { match = /^/, times = Number.POSITIVE_INFINITY, after = 0 }: FaultLimits = {}): void {
    this.#faults.push({ match, left: times, after, fault });
  }

  drop(limits?: FaultLimits): void {
    this.add({ kind: 'drop' }, limits);
  }

  hang(limits?: FaultLimits): void {
    this.add({ kind: 'hang' }, limits);
  }

  /** An error as the API words it. */
  error(status: number, message: string, limits?: FaultLimits): void {
    const body = JSON.stringify({ message, documentation_url: 'https://docs.github.com/rest', status: String(status) });
    this.add({ kind: 'answer', status, headers: { 'content-type': 'application/json; charset=utf-8' }, body }, limits);
  }

  /** A secondary limit; without `retryAfterSeconds` GitHub does not say for how long. */
  secondaryLimit({
    status = 403,
    retryAfterSeconds,
    ...limits
  }: FaultLimits & { status?: 403 | 429; retryAfterSeconds?: number } = {}): void {
    const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
    const retry: Record<string, string> = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
    const body = JSON.stringify({
      message,
      documentation_url: 'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api',
    });
    this.add({ kind: 'answer', status, headers: { 'content-type': 'application/json; charset=utf-8', ...retry }, body }, limits);
  }

  redirect(location: string, limits?: FaultLimits): void {
    this.add({ kind: 'answer', status: 302, headers: { location } }, limits);
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** @internal */
  take(line: string): Fault | undefined {
    const found = this.#faults.find(({ match, left }) => left > 0 && match.test(line));
    if (!found) return undefined;
    if (found.after > 0) {
      found.after -= 1;
      return undefined;
    }
    found.left -= 1;
    return found.fault;
  }
}
