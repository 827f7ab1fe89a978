import { parseArgs } from 'node:util';
import { seconds } from '#lab/progress.js';
import { audit } from '../support/audit.js';
import { Random } from '../support/random.js';
import { apiDies } from './api-dies.js';
import { OUTAGES } from './outages.js';
import { type Point, pointsOf } from './points.js';
import { Report } from './report.js';
import { dieAt, dieDuring, outageRow, rowOf } from './rounds.js';
import { SCENARIOS, type Scenario } from './scenarios.js';
import { Stage } from './stage.js';
import { WHENS } from './traps.js';

const USAGE = `Options: --short (each activity once, before, inside and after it in turns), --times <n> (5), --seed <n>, --only <part of a scenario's or outage's name>`;
/** More operations at once than this, and some come to their point so late that the others give up waiting. */
const AT_ONCE = 18;
/** An activity that is over too quickly may be missed; so often is it tried again. */
const EXTRA_ROUNDS = 6;
const COPIES = 3;
const OUTAGE_MEMBERS = 4;
const RUNS_PER_TIME = 2;

interface Options {
  readonly times: number;
  readonly only: string;
  readonly short: boolean;
  readonly seed: number;
}

function optionsOf(argv: string[]): Options {
  const { values } = parseArgs({
    args: argv,
    options: { short: { type: 'boolean' }, times: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
  });
  const short = values.short ?? false;
  return { short, times: Number(values.times ?? (short ? 1 : 5)), only: values.only ?? '', seed: Number(values.seed ?? Date.now() % 1e9) };
}

/** Kills the worker at every point of the scenario until each has been hit often enough. */
async function everyPoint(stage: Stage, scenario: Scenario, options: Options, report: Report): Promise<string[]> {
  const every = await pointsOf(stage, scenario);
  let points = options.short ? every.filter(inTurns) : every;
  const missing = () => points.filter((point) => report.count(rowOf(scenario, point)) < options.times);
  let extra = EXTRA_ROUNDS * options.times;
  for (let due = missing(); due.length > 0 && extra > 0; due = missing()) {
    const batch = batchOf(stage, due);
    const began = Date.now();
    const missed = await dieAt(stage, scenario, batch, report);
    if (missed.length > 0) extra -= 1;
    // What a first run took is more than a warm one takes: who came too late comes earlier the next time.
    points = points.map((point) => (missed.includes(point) ? { ...point, tookMs: point.tookMs / 2 } : point));
    console.log(`${scenario.name}: ${batch.length - missed.length} points hit in ${seconds(Date.now() - began)}, ${missing().length} due`);
  }
  return missing().map((point) => `${rowOf(scenario, point)}: hit ${report.count(rowOf(scenario, point))} of ${options.times} times`);
}

/** Of each activity one point: before, inside and after it in turns. */
function inTurns(_point: Point, at: number): boolean {
  return at % WHENS.length === Math.floor(at / WHENS.length) % WHENS.length;
}

/** Points that are due; the last few several times, so that one that is over quickly is met. */
function batchOf(stage: Stage, due: readonly Point[]): Point[] {
  const copies = due.length * COPIES <= AT_ONCE ? COPIES : 1;
  return shuffled(stage, Array.from({ length: copies }, () => due).flat()).slice(0, AT_ONCE);
}

function shuffled(stage: Stage, points: readonly Point[]): Point[] {
  return points
    .map((point) => ({ point, at: stage.random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ point }) => point);
}

/** Each of these parts dies in the middle of the scenario until enough operations were under way then. */
async function everyOutage(stage: Stage, scenario: Scenario, outages: typeof OUTAGES, options: Options, report: Report): Promise<string[]> {
  const wanted = options.times * RUNS_PER_TIME;
  const missed: string[] = [];
  for (const outage of outages) {
    const row = outageRow(scenario, outage, 'meanwhile');
    if (!row.includes(options.only)) continue;
    for (let round = 0; report.count(row) < wanted && round < EXTRA_ROUNDS * options.times; round++) {
      const began = Date.now();
      await dieDuring(stage, scenario, outage, { members: OUTAGE_MEMBERS, withinMs: scenario.fourTakeMs, report });
      console.log(`${row}: ${report.count(row)} of ${wanted} runs, ${seconds(Date.now() - began)}`);
    }
    if (report.count(row) < wanted) missed.push(`${row}: ${report.count(row)} of ${wanted} runs`);
  }
  return missed;
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  const began = Date.now();
  console.log(`crash-matrix: seed ${options.seed}, each point ${options.times} times. ${USAGE}`);
  const report = new Report();
  const stage = await Stage.up(new Random(options.seed));
  let orphans: string[] = [];
  const unreached: string[] = [];
  // In the short form one scenario with all activities stands for the others of its kind.
  const chosen = options.short ? SCENARIOS.filter(({ coversItsKind }) => coversItsKind) : SCENARIOS;
  try {
    for (const scenario of chosen) {
      if (scenario.name.includes(options.only)) unreached.push(...(await everyPoint(stage, scenario, options, report)));
    }
    for (const [at, scenario] of chosen.filter((one) => !one.undoOnly).entries()) {
      // In the short form each of them meets one outage.
      const outages = options.short ? [OUTAGES[at % OUTAGES.length] as (typeof OUTAGES)[number]] : OUTAGES;
      unreached.push(...(await everyOutage(stage, scenario, outages, options, report)));
    }
    if ('API dies'.includes(options.only)) for (let i = 0; i < Math.ceil(options.times / 2); i++) await apiDies(stage, report);
    await stage.direct.sweep();
    orphans = audit(await stage.world());
  } finally {
    await stage.close();
  }
  report.print();
  for (const point of unreached) console.log(`NOT REACHED ${point}`);
  for (const orphan of orphans) console.log(`ORPHAN ${orphan}`);
  const total = report.runs.length;
  console.log(`the worker died ${stage.supervisor.deaths} times; ${seconds(Date.now() - began)}; seed ${options.seed}`);
  console.log(`crash-matrix: ${total} runs, ${report.wrong} wrong, ${orphans.length} orphans`);
  return total > 0 && report.wrong === 0 && orphans.length === 0 && unreached.length === 0 ? 0 : 1;
}

process.exitCode = await main();
process.exit();
