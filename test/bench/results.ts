import { cpus, loadavg, totalmem } from 'node:os';
import { run } from '#lab/exec.js';

/** One figure. `value` is a median unless `what` says otherwise. */
export interface Line {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms' | '/s' | 'MB' | 'MB/s' | '%' | 'count';
  readonly count?: number;
  readonly p95?: number;
  readonly p99?: number;
  /** Begins so many milliseconds after the request was sent. */
  readonly at?: number;
  /** The same of LXD alone, or of the original, measured side by side. */
  readonly raw?: number;
  readonly ratio?: number;
  readonly difference?: number;
  readonly target?: string;
  readonly met?: boolean;
  readonly note?: string;
}

export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

export type Report = (title: string, lines: readonly Line[]) => void;

export interface Results {
  readonly commit: string;
  readonly date: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly options: object;
  readonly sections: readonly Section[];
}

export async function describeRun(options: object): Promise<Omit<Results, 'sections'>> {
  const [cpu] = cpus();
  return {
    commit: await run('git', ['describe', '--always', '--dirty']).then(
      (text) => text.trim(),
      () => 'unknown',
    ),
    date: new Date().toISOString(),
    machine: {
      cpus: cpus().length,
      model: cpu?.model ?? 'unknown',
      memoryGb: Math.round(totalmem() / 2 ** 30),
      loadAtStart: Math.round((loadavg()[0] ?? 0) * 10) / 10,
      node: process.versions.node,
    },
    options,
  };
}

/** Against the same of LXD: a difference that may be so large. */
export function atMostMore({ value, raw, ms }: { readonly value: number; readonly raw: number; readonly ms: number }) {
  return { raw, ratio: value / raw, difference: value - raw, target: `raw + ${ms} ms`, met: value - raw <= ms };
}

/** Against the same of LXD: a share of its throughput that must be reached. */
export function atLeastShare({ value, raw, share }: { readonly value: number; readonly raw: number; readonly share: number }) {
  return { raw, ...shareReached(value / raw, share) };
}

/** The same of a ratio that was taken round by round. */
export function shareReached(ratio: number, share: number) {
  return { ratio, target: `≥ ${share} of raw`, met: ratio >= share };
}
