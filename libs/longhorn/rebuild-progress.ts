/** How a rebuild goes, by the observer's clock. */
export interface RebuildPace {
  /** How long the progress has stood still, in whole seconds. */
  readonly unchangedSeconds: number;
  /** Mean since the rebuild was first seen; absent until its progress was seen to grow. */
  readonly percentPerSecond?: number;
}

interface Seen {
  readonly firstPercent: number;
  readonly firstMs: number;
  percent: number;
  changedMs: number;
}

/**
 * Remembers the last progress of each rebuild, since Longhorn does not say when it changed. One per observer, in its memory only: after a
 * restart the count begins at 0, so a stuck rebuild is noticed that much later and never too early. A progress that falls is a new rebuild.
 */
export class RebuildProgress {
  readonly #seen = new Map<string, Map<string, Seen>>();

  constructor(readonly now: () => number = Date.now) {}

  /** The paces of all rebuilds of a volume that are under way, by replica address; the others of that volume are forgotten. */
  observe(volume: string, progress: ReadonlyMap<string, number>): Map<string, RebuildPace> {
    const before = this.#seen.get(volume);
    const now = this.now();
    const seen = new Map([...progress].map(([address, percent]) => [address, next(before?.get(address), percent, now)]));
    if (seen.size === 0) this.#seen.delete(volume);
    else this.#seen.set(volume, seen);
    return new Map([...seen].map(([address, entry]) => [address, paceOf(entry, now)]));
  }

  /** Forgets the volumes that are not looked at any more. */
  keepOnly(volumes: ReadonlySet<string>): void {
    for (const volume of this.#seen.keys()) if (!volumes.has(volume)) this.#seen.delete(volume);
  }
}

function next(before: Seen | undefined, percent: number, now: number): Seen {
  if (!before || percent < before.percent) return { firstPercent: percent, firstMs: now, percent, changedMs: now };
  return percent === before.percent ? before : { ...before, percent, changedMs: now };
}

function paceOf({ firstPercent, firstMs, percent, changedMs }: Seen, now: number): RebuildPace {
  // A clock that was set back must not give less than nothing.
  const unchangedSeconds = Math.max(0, Math.floor((now - changedMs) / 1000));
  const grew = percent > firstPercent && changedMs > firstMs;
  return { unchangedSeconds, ...(grew ? { percentPerSecond: ((percent - firstPercent) * 1000) / (changedMs - firstMs) } : {}) };
}
