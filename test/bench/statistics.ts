/** What is left of many measurements; all in the unit of what was measured. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export function summaryOf(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  };
}

export function median(values: readonly number[]): number {
  return summaryOf(values).median;
}

/** What to expect of the next one, where each is another one by chance and not by other work on the machine. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of two things that were measured in turns: the median of each round's own ratio, which other work on the machine moves less than a ratio of medians. */
export function medianRatio(values: readonly number[], raw: readonly number[]): number {
  return median(ratios(values, raw));
}

/** Where half of the rounds' own ratios are. */
export function middleRatios(values: readonly number[], raw: readonly number[]): { readonly from: number; readonly to: number } {
  const sorted = ratios(values, raw).sort((a, b) => a - b);
  return { from: quantile(sorted, 0.25), to: quantile(sorted, 0.75) };
}

function ratios(values: readonly number[], raw: readonly number[]): number[] {
  return values.map((value, round) => value / (raw[round] ?? Number.NaN));
}

/** Between neighbours by linear interpolation. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Milliseconds since 1970 with the fraction, to be compared with times of other processes of this machine. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

/** Work of several lanes until the items are used up; gives how long it took in milliseconds. */
export async function inLanes<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<unknown>): Promise<number> {
  const queue = [...items];
  const begun = performance.now();
  const ended = await Promise.allSettled(
    Array.from({ length: Math.min(lanes, items.length) }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next);
    }),
  );
  const failed = ended.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return performance.now() - begun;
}
