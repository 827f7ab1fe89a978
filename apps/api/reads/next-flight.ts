interface Flight<T> {
  /** Shared by everyone who came after the present read had begun. */
  next?: Promise<T>;
}

/**
 * Shares reads without serving stale ones: per key at most one read is under way and one is queued, and a caller always gets the answer of a read
 * that began after the call. So whoever has just changed something reads the change, and any number of callers costs two reads at most.
 */
export class NextFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #onRead: (how: 'loaded' | 'shared') => void;

  constructor(onRead: (how: 'loaded' | 'shared') => void = () => undefined) {
    this.#onRead = onRead;
  }

  read(key: string, load: () => Promise<T>): Promise<T> {
    const flight = this.#flights.get(key);
    if (!flight) return this.#take(key, load);
    if (flight.next) {
      this.#onRead('shared');
      return flight.next;
    }
    const { promise, resolve } = withResolver<T>();
    flight.next = promise;
    this.#landed.set(flight, () => resolve(this.#take(key, load)));
    return promise;
  }

  /** What to start when a flight has landed. */
  readonly #landed = new WeakMap<Flight<T>, () => void>();

  #take(key: string, load: () => Promise<T>): Promise<T> {
    const flight: Flight<T> = {};
    this.#flights.set(key, flight);
    this.#onRead('loaded');
    const land = () => {
      const startNext = this.#landed.get(flight);
      if (startNext) startNext();
      else this.#flights.delete(key);
    };
    const promise = load();
    promise.then(land, land);
    return promise;
  }
}

function withResolver<T>(): { promise: Promise<T>; resolve: (value: Promise<T>) => void } {
  let resolve!: (value: Promise<T>) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
