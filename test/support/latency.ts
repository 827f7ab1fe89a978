/** Times of one kind of change, in milliseconds. */
export class Latencies {
  readonly #times = new Map<string, number[]>();

  add(what: string, ms: number): void {
    this.#times.set(what, [...(this.#times.get(what) ?? []), ms]);
  }

  get kinds(): string[] {
    return [...this.#times.keys()];
  }

  of(what: string): { readonly count: number; readonly median: number; readonly max: number } {
    const sorted = [...(this.#times.get(what) ?? [])].sort((a, b) => a - b);
    return { count: sorted.length, median: sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
  }
}
