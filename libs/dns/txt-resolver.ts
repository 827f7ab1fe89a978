import { Resolver } from 'node:dns/promises';
import type { TxtAnswer } from '#libs/domain/proof.js';

export interface DnsOptions {
  /** `ip` or `ip:port` (`[ip]:port` for IPv6), asked in this order; the system's when empty. */
  readonly resolvers: readonly string[];
  /** Longest wait for one try at one resolver, in milliseconds. */
  readonly timeoutMs: number;
  readonly tries: number;
}

/** What the codes of node:dns say; all others mean that no answer came. */
const WHY: Readonly<Record<string, string>> = {
  ETIMEOUT: 'time-out',
  ECANCELLED: 'time-out',
  ESERVFAIL: 'SERVFAIL',
  EREFUSED: 'REFUSED',
  ENOTIMP: 'NOTIMP',
  EFORMERR: 'FORMERR',
  EBADRESP: 'an answer that cannot be read',
  ECONNREFUSED: 'no resolver can be reached',
};

const LONGEST_MS = 20_000;

/** Asks configured resolvers for TXT records. */
export class TxtResolver {
  readonly #options: DnsOptions;

  constructor(options: DnsOptions) {
    this.#options = options;
  }

  /**
   * The TXT records of a canonical name, following CNAMEs as resolvers do. Nothing is cached here. Each further try waits twice as long
   * as the one before; what has not come after 20 s is `unanswered` at any rate.
   * @throws the signal's reason when it is aborted.
   */
  async ask(host: string, signal: AbortSignal): Promise<TxtAnswer> {
    signal.throwIfAborted();
    const { resolvers, timeoutMs, tries } = this.#options;
    // One for each question: cancelling ends all questions of a resolver, and it caches.
    const resolver = new Resolver({ timeout: timeoutMs, tries });
    if (resolvers.length > 0) resolver.setServers(resolvers);
    const cancel = () => resolver.cancel();
    const deadline = setTimeout(cancel, Math.min(LONGEST_MS, timeoutMs * 2 ** tries * resolver.getServers().length));
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const records = await resolver.resolveTxt(host);
      return { is: 'records', records: records.map((strings) => strings.join('')) };
    } catch (error) {
      signal.throwIfAborted();
      return answerOf(error);
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener('abort', cancel);
    }
  }
}

function answerOf(error: unknown): TxtAnswer {
  const { code } = error as { readonly code?: unknown };
  if (code === 'ENOTFOUND') return { is: 'no-such-name' };
  if (code === 'ENODATA') return { is: 'no-records' };
  if (typeof code !== 'string') throw error;
  return { is: 'unanswered', why: WHY[code] ?? code };
}
