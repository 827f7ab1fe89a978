import type { Verdict } from '../support/audit.js';
import type { Outcome } from '../support/direct.js';

/** What became of one disturbed operation. */
export interface Run {
  readonly row: string;
  readonly name: string;
  readonly outcome: Outcome | { readonly is: 'no end'; readonly message: string };
  readonly verdict: Verdict;
  /** Why this is not what it must be; undefined when it is right. */
  readonly wrong: string | undefined;
  /** From the death to the operation's end. */
  readonly recoveryMs: number;
}

export class Report {
  readonly runs: Run[] = [];

  add(run: Run): void {
    this.runs.push(run);
    if (run.wrong) console.log(`WRONG ${run.row}, ${run.name}: ${run.wrong}`);
  }

  count(row: string): number {
    return this.runs.filter((run) => run.row === row).length;
  }

  get wrong(): number {
    return this.runs.filter((run) => run.wrong).length;
  }

  print(): void {
    const rows = [...new Set(this.runs.map(({ row }) => row))];
    const width = Math.max(...rows.map((row) => row.length), 5);
    console.log(`\n${'point'.padEnd(width)}  runs  whole  nothing  WRONG  median     max`);
    for (const row of rows) {
      const runs = this.runs.filter((run) => run.row === row);
      const right = (is: Verdict['is']) => runs.filter((run) => !run.wrong && run.verdict.is === is).length;
      const times = runs.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
      const median = times[Math.floor((times.length - 1) / 2)] ?? 0;
      const cells = [
        row.padEnd(width),
        String(runs.length).padStart(4),
        String(right('whole')).padStart(5),
        String(right('nothing')).padStart(7),
        String(runs.filter(({ wrong }) => wrong).length).padStart(5),
        inSeconds(median),
        inSeconds(times.at(-1) ?? 0),
      ];
      console.log(cells.join('  '));
    }
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(6);
}
