import { PlatformError } from '#libs/errors/platform-error.js';

interface Room {
  readonly perWebspace: number;
  readonly total: number;
  /** What takes a place, for people: `streams`. */
  readonly what: string;
}

/** Counts what is open, per webspace and in all, and refuses what is too much. */
export class Places {
  readonly #room: Room;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Returns what gives the place back. @throws PlatformError UNAVAILABLE when there is none. */
  take(webspace: string): () => void {
    const { perWebspace, total, what } = this.#room;
    const taken = this.#taken.get(webspace) ?? 0;
    if (taken >= perWebspace) throw full(`${webspace} has ${taken} ${what} open, which is as many as it may have. End one first.`);
    if (this.#total >= total) throw full(`Too many ${what} are open just now. Try again shortly.`);
    this.#taken.set(webspace, taken + 1);
    this.#total++;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#total--;
      const left = (this.#taken.get(webspace) ?? 1) - 1;
      if (left > 0) this.#taken.set(webspace, left);
      else this.#taken.delete(webspace);
    };
  }
}

function full(message: string): PlatformError {
  return new PlatformError('UNAVAILABLE', message, { details: { reason: 'too-many' } });
}
