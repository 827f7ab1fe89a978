import { writeFileSync } from 'node:fs';
import { dim, red, seconds } from '#lab/progress.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { benchBoot } from './boot.js';
import { benchChanges } from './changes.js';
import { benchCreate } from './create.js';
import { benchExec } from './exec.js';
import { benchForward } from './forward.js';
import { benchImages } from './images.js';
import { benchLan } from './lan.js';
import { BadOption, type Options, optionsOf, USAGE } from './options.js';
import { benchReads } from './reads.js';
import { benchRestart } from './restart.js';
import { describeRun, type Line, type Report, type Section } from './results.js';
import { openStage, type Stage } from './stage.js';
import { markdownTable, terminalTable } from './table.js';
import { benchThroughput } from './throughput.js';
import { benchUpgrade } from './upgrade.js';
import { benchVisit } from './visit.js';
import { benchVm } from './vm.js';

const startedAt = Date.now();

/** Figures never fail a run; what could not be run, or was answered with a wrong status, does. */
async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  const run = await describeRun(options);
  const sections: Section[] = [];
  const report: Report = (title, lines) => {
    sections.push({ title, lines });
    console.log(terminalTable({ title, lines }));
  };
  try {
    // Nodes of its own, and nothing of the platform beside it.
    if (options.benches.includes('vm')) await noted('vm', () => benchVm(options, report));
    if (options.benches.some((name) => name !== 'vm')) for (const storage of options.storages) await onStage(storage, options, report);
  } finally {
    if (options.json) writeFileSync(options.json, `${JSON.stringify({ ...run, sections }, null, 2)}\n`);
    if (options.markdown) writeFileSync(options.markdown, markdown(run, sections));
  }
  return 0;
}

async function onStage(storage: Options['storages'][number], options: Options, report: Report): Promise<void> {
  const { benches } = options;
  const first = storage === options.storages[0];
  // What does not ask Temporal is measured once.
  if (!first && !benches.includes('create')) return;
  note(`starting the lab, Temporal's database ${storage === 'file' ? 'in a file' : 'in memory'}`);
  const stage = await openStage(storage);
  try {
    if (benches.includes('create')) await create(stage, storage, options, report);
    if (first && benches.includes('reads')) await noted('reads', () => benchReads(stage, options, report));
    if (first && benches.includes('changes')) await noted('changes', () => benchChanges(stage, options, report));
    if (first && benches.includes('exec')) await noted('exec', () => benchExec(stage, options, report));
    if (first && benches.includes('visit')) await noted('visit', () => benchVisit(stage, options, report));
    if (first && benches.includes('forward')) await noted('forward', () => benchForward(stage, options, report));
    if (first && benches.includes('images')) await noted('images', () => benchImages(stage, options, report));
    if (first && benches.includes('lan')) await noted('lan', () => benchLan(stage, options, report));
    if (first && benches.includes('restart')) await noted('restart', () => benchRestart(stage, options, report));
    // Last: the nodes that it brings stay.
    if (first && benches.includes('upgrade')) await noted('upgrade', () => benchUpgrade(options, report));
  } finally {
    note('removing what was made');
    await stage.close();
  }
}

async function create(stage: Stage, storage: Options['storages'][number], options: Options, report: Report): Promise<void> {
  const steps = storage === options.storages[0] ? options.existing : options.existing.slice(0, 1);
  const lines: Line[] = [];
  for (const existing of steps) {
    await noted(`${existing} existing webspaces`, () => stage.members.haveExisting(existing));
    await stage.quiet();
    const line = await noted('create', () => benchCreate(stage, options, { storage, existing }, report));
    lines.push({ ...line, what: `${existing} existing` });
    await noted('create, eight at a time', () => benchThroughput(stage, options, { storage, existing }, report));
  }
  if (lines.length > 1) report('create, one at a time, by the number of existing webspaces', lines);
  await stage.members.haveExisting(0);
  await noted('boot', () => benchBoot(stage, options, storage, report));
}

async function noted<T>(what: string, work: () => Promise<T>): Promise<T> {
  note(what);
  return work();
}

function note(text: string): void {
  console.log(dim(`${seconds(Date.now() - startedAt).padStart(8)}  · ${text}`));
}

function markdown(run: Awaited<ReturnType<typeof describeRun>>, sections: readonly Section[]): string {
  const { commit, date, machine } = run;
  const head = `Commit ${commit}, ${date.slice(0, 10)}: ${machine['cpus']} × ${machine['model']}, Node ${machine['node']}, load at the start ${machine['loadAtStart']}.`;
  return `${[head, ...sections.map(markdownTable)].join('\n\n')}\n`;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = 1;
    console.error(said(error));
  },
);

function said(error: unknown): unknown {
  if (error instanceof BadOption) return red(`${error.message}\n${USAGE}`);
  return isPlatformError(error, 'INVALID_INPUT') ? red(`Nothing was measured. ${error.message}`) : error;
}
