import { between, type CpuName, type CpuTimes, cpuTimes, sum } from './cpu.js';
import type { Member } from './members.js';
import type { Options, Storage } from './options.js';
import { atLeastShare, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';
import { inLanes, summaryOf } from './statistics.js';

const LANES = 8;
const BLOCK = 16;
/** Above this share of the machine, LXD alone leaves no room for anything beside it. */
const FULL_MACHINE = 0.75;

interface Measured {
  readonly each: number[];
  count: number;
  elapsedMs: number;
  cpu: CpuTimes | undefined;
}

const nothing = (): Measured => ({ each: [], count: 0, elapsedMs: 0, cpu: undefined });

/** Eight creates at a time, in blocks, LXD alone and the platform in turns. */
export async function benchThroughput(
  stage: Stage,
  options: Options,
  where: { storage: Storage; existing: number },
  report: Report,
): Promise<void> {
  const raw = nothing();
  const ours = nothing();
  for (let left = Math.max(options.count, LANES); left > 0; left -= BLOCK) {
    const size = Math.min(BLOCK, Math.max(left, LANES));
    await rawBlock(stage, size, raw);
    await apiBlock(stage, size, ours);
  }
  const title = `create, Temporal's database ${where.storage === 'file' ? 'in a file' : 'in memory'}, ${where.existing} existing`;
  const busy = raw.cpu ? raw.cpu.busyMs / raw.cpu.totalMs : Number.NaN;
  const share = busy < FULL_MACHINE ? 0.8 : 0.6;
  const verdict = atLeastShare({ value: perSecond(ours), raw: perSecond(raw), share });
  const note = `LXD alone keeps ${Math.round(busy * 100)} % of the machine busy`;
  report(`${title}: ${LANES} at a time`, [
    throughputLine('LXD alone', raw),
    { ...throughputLine('POST /v1/webspace/{user}', ours), ...verdict, note },
    latencyLine('LXD alone, each', raw),
    latencyLine('POST /v1/webspace/{user}, each', ours),
  ]);
  report(`${title}: processor time for one of ${LANES} at a time`, cpuLines(raw, ours));
}

async function rawBlock(stage: Stage, size: number, into: Measured): Promise<void> {
  const names = Array.from({ length: size }, () => stage.raw.nextName());
  await block(stage, into, names, async (name) => into.each.push(await stage.raw.create(name)));
  await inLanes(names, LANES, (name) => stage.raw.remove(name));
}

async function apiBlock(stage: Stage, size: number, into: Measured): Promise<void> {
  const members = Array.from({ length: size }, () => stage.members.fresh());
  const endings: Promise<void>[] = [];
  await block(stage, into, members, async (member: Member) => {
    const asked = await stage.members.create(member);
    into.each.push(asked.ms);
    endings.push(stage.members.ended(asked));
  });
  await Promise.all(endings);
  await inLanes(members, LANES, (member) => stage.members.delete(member));
}

async function block<T>(stage: Stage, into: Measured, items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const before = cpuTimes(stage);
  into.elapsedMs += await inLanes(items, LANES, work);
  into.cpu = sum(into.cpu, between(before, cpuTimes(stage)));
  into.count += items.length;
}

function perSecond({ count, elapsedMs }: Measured): number {
  return (count * 1000) / elapsedMs;
}

function throughputLine(what: string, measured: Measured): Line {
  return { what, value: perSecond(measured), unit: '/s', count: measured.count };
}

function latencyLine(what: string, { each }: Measured): Line {
  const { median, p95, count } = summaryOf(each);
  return { what, value: median, unit: 'ms', count, p95 };
}

function cpuLines(raw: Measured, ours: Measured): Line[] {
  const of = (measured: Measured, name: CpuName) => (measured.cpu?.processes[name] ?? 0) / measured.count;
  const names = Object.keys(ours.cpu?.processes ?? {}) as CpuName[];
  const lines = names.map((name): Line => ({ what: name, value: of(ours, name), unit: 'ms', raw: of(raw, name) }));
  const busy = ({ cpu, count }: Measured) => (cpu?.busyMs ?? 0) / count;
  return [
    ...lines.sort((a, b) => b.value - a.value),
    { what: 'the whole machine, others included', value: busy(ours), unit: 'ms', raw: busy(raw) },
  ];
}
