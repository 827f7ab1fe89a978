import { readFileSync } from 'node:fs';
import { UsageError } from './arguments.js';
import { chart } from './commands/chart.js';
import { cluster } from './commands/cluster.js';
import { down } from './commands/down.js';
import { logs } from './commands/logs.js';
import { start } from './commands/start.js';
import { status } from './commands/status.js';
import { bench, crashMatrix, test, testFull } from './commands/suites.js';
import { PartError } from './process.js';
import { bold, dim, red } from './progress.js';

type Command = (args: readonly string[], startedAt: number) => Promise<number>;
const COMMANDS: Readonly<Record<string, Command>> = {
  start,
  cluster,
  chart,
  down,
  status,
  logs,
  test,
  'test-full': testFull,
  bench,
  'crash-matrix': crashMatrix,
};

/** Runs one command of the lab and returns the exit code. `startedAt`: when the caller began, for the times that are printed. */
export async function main(argv: readonly string[], startedAt: number): Promise<number> {
  const [name = 'start', ...args] = argv;
  const command = COMMANDS[name];
  try {
    if (!command) throw new UsageError(`unknown command "${name}"; there are: ${Object.keys(COMMANDS).join(', ')}`);
    return await command(args, startedAt);
  } catch (error) {
    report(error);
    return error instanceof UsageError ? 2 : 1;
  }
}

function report(error: unknown): void {
  if (error instanceof UsageError) {
    console.error(red(error.message));
    return;
  }
  if (error instanceof PartError) {
    console.error(`\n${red(bold(error.message))}\n`);
    console.error(dim(lastLines(error.logFile, 15)));
    console.error(`\nIts log: ${error.logFile}`);
  } else {
    console.error(`\n${red(bold(error instanceof Error ? error.message : String(error)))}`);
    if (process.env['DEBUG'] && error instanceof Error) console.error(error.stack);
  }
  console.error('What to do: read the reason above, then run the same command again: it goes on where it stopped.');
  console.error('If that does not help: npm run status, npm run logs -- <part>; npm run down begins afresh.');
}

function lastLines(file: string, count: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return '(no log was written)';
  }
}
