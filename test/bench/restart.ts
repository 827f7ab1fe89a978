import { waitFor } from '#lab/wait.js';
import type { Member } from './members.js';
import type { Options } from './options.js';
import type { Line, Report } from './results.js';
import type { Stage } from './stage.js';
import { Visitor, Watch } from './visitor.js';

const READS_WITHIN_MS = 2_000;
const ATTEMPTS = 3;
const ASK_EVERY_MS = 10;

/** Restarts of api and worker while webspaces are there: how long reads are away, and that no route is touched. */
export async function benchRestart(stage: Stage, options: Options, report: Report): Promise<void> {
  const [member] = (await stage.members.running(1)) as [Member];
  await stage.members.haveExisting(options.webspaces - 1);
  await stage.quiet();
  const before = await versionsOfRoutes(stage);
  const visitor = new Visitor(stage, member);
  const visits = new Watch(() => visitor.answers(), ASK_EVERY_MS);
  const api: number[] = [];
  const worker: number[] = [];
  const gaps: number[] = [];
  for (let i = 0; i < ATTEMPTS; i++) api.push(await restartApi(stage, member));
  for (let i = 0; i < ATTEMPTS; i++) {
    const { readyMs, longestReadMs } = await restartWorker(stage, member);
    worker.push(readyMs);
    gaps.push(longestReadMs);
  }
  // The stream of events is connected again, which asks for a sweep: what there is to do has been done after one of our own.
  await stage.sweeps.run();
  await stage.quiet();
  const visited = await visits.end();
  await visitor.close();
  const after = await versionsOfRoutes(stage);
  const touched = [...before].filter(([name, version]) => after.get(name) !== version).map(([name]) => name);
  await stage.members.removeAll();
  report(`restart with ${before.size} webspaces`, [
    { ...within('api started: reads answered', api), note: 'longest; original: 26 s with 20 webspaces' },
    { ...within('worker restarted: one read meanwhile', gaps), note: 'longest' },
    { what: 'worker started: ready', value: Math.max(...worker), unit: 'ms', count: worker.length, note: 'longest' },
    none('routes touched', before.size, touched.length),
    none('visits of a site that were not answered', visited.count, visited.failed),
  ]);
}

/** From the start of the process, code and configuration read included. */
async function restartApi({ lab, members }: Stage, member: Member): Promise<number> {
  const api = lab.process('api');
  await api.stop();
  const begun = performance.now();
  const started = api.start();
  await waitFor('the API to answer', () => members.ask(200, member, 'GET'), { timeoutMs: 60_000, intervalMs: ASK_EVERY_MS });
  const answeredMs = performance.now() - begun;
  await started;
  return answeredMs;
}

async function restartWorker({ lab, members }: Stage, member: Member): Promise<{ readyMs: number; longestReadMs: number }> {
  const worker = lab.process('worker');
  const reads = new Watch(() => members.ask(200, member, 'GET').then(() => true), ASK_EVERY_MS);
  await worker.stop();
  const begun = performance.now();
  await worker.start();
  const readyMs = performance.now() - begun;
  const { failed, count, longestMs } = await reads.end();
  if (failed > 0) throw new Error(`${failed} of ${count} reads failed while the worker was restarted`);
  return { readyMs, longestReadMs: longestMs };
}

function within(what: string, values: readonly number[]): Line {
  const value = Math.max(...values);
  return { what, value, unit: 'ms', count: values.length, target: `≤ ${READS_WITHIN_MS} ms`, met: value <= READS_WITHIN_MS };
}

function none(what: string, count: number, value: number): Line {
  return { what, value, unit: 'count', count, target: '0', met: value === 0 };
}

async function versionsOfRoutes({ cluster }: Stage): Promise<Map<string, string>> {
  const routes = await cluster.list('ingressRoute');
  return new Map(routes.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}
