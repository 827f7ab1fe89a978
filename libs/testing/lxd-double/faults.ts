import { latch } from '../latch.js';
/** Which requests a fault hits: part of `METHOD /path?query`. Default: every one but event streams. */
export type Match = RegExp;

interface Fault {
  readonly match: Match;
  left: number;
  readonly kind: FaultKind;
}

export type FaultKind =
  | { readonly kind: 'drop' }
  /** The request is carried out, its answer is lost. */
  | { readonly kind: 'drop-answer' }
  | { readonly kind: 'error'; readonly status: number; readonly text: string }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'foreign'; readonly answer: ForeignAnswer };

export type ForeignAnswer = 'html' | 'empty' | 'object' | 'proxy-error';

export interface FaultLimits {
  readonly match?: Match;
  /** How many requests it hits; default all until `clear()`. */
  readonly times?: number;
}

const ANY = /^/;

/** What goes wrong, to be switched by a test at any time. */
export class LxdFaults {
  readonly #faults: Fault[] = [];
  #failures: { match: Match; text: string; left: number }[] = [];
  readonly #holds = new Set<{ match: Match; release: Promise<void> }>();
  /** The next so many `If-Match` are answered 412. */
  staleEtags = 0;
  /** `GET /1.0/instances` answers an empty list. */
  emptyList = false;
  /** Instances of an unreachable member: Error (112) in lists, 500 when asked for. */
  readonly errorInstances = new Set<string>();
  /** Another server at the same address: this is its certificate's fingerprint. */
  identity: string | undefined;
  /** `operation` URLs carry `?project=default`. */
  operationProject = false;
  /** Finished operations are gone at once instead of after about 5 s. */
  vanishAtOnce = false;
  /** Event streams stay open and silent: no ping, pong or event. */
  muteEvents = false;

  drop(limits: FaultLimits = {}): void {
    this.#add({ kind: 'drop' }, limits);
  }

  dropAnswer(limits: FaultLimits = {}): void {
    this.#add({ kind: 'drop-answer' }, limits);
  }

  answer(status: number, text: string, limits: FaultLimits = {}): void {
    this.#add({ kind: 'error', status, text }, limits);
  }

  delay(ms: number, limits: FaultLimits = {}): void {
    this.#add({ kind: 'delay', ms }, limits);
  }

  hang(limits: FaultLimits = {}): void {
    this.#add({ kind: 'hang' }, limits);
  }

  /** Something that is no LXD answers. */
  foreign(answer: ForeignAnswer, limits: FaultLimits = {}): void {
    this.#add({ kind: 'foreign', answer }, limits);
  }

  /** Operations whose description matches (`Creating instance web1`) fail with this text instead of doing anything. */
  failOperation(match: Match, text: string, times = 1): void {
    this.#failures.push({ match, text, left: times });
  }

  /** Operations whose description matches stay running until the returned function is called. */
  holdOperation(match: Match): () => void {
    const { opened, open } = latch();
    const hold = { match, release: opened };
    this.#holds.add(hold);
    return () => {
      this.#holds.delete(hold);
      open();
    };
  }

  clear(): void {
    this.#faults.length = 0;
    this.#failures = [];
    this.staleEtags = 0;
    this.emptyList = false;
    this.errorInstances.clear();
    this.identity = undefined;
    this.operationProject = false;
    this.vanishAtOnce = false;
    this.muteEvents = false;
  }

  /** @internal */
  take(line: string): FaultKind | undefined {
    const fault = this.#faults.find(({ match, left }) => left > 0 && match.test(line));
    if (fault) fault.left -= 1;
    return fault?.kind;
  }

  /** @internal */
  takeFailure(description: string): string | undefined {
    const failure = this.#failures.find(({ match, left }) => left > 0 && match.test(description));
    if (failure) failure.left -= 1;
    return failure?.text;
  }

  /** @internal */
  async held(description: string): Promise<void> {
    for (const { match, release } of this.#holds) if (match.test(description)) await release;
  }

  #add(kind: FaultKind, { match = ANY, times = Number.POSITIVE_INFINITY }: FaultLimits): void {
    this.#faults.push({ match, left: times, kind });
  }
}
