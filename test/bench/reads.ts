import autocannon, { type Options as CannonOptions, type Result } from 'autocannon';
import type { Member } from './members.js';
import type { Options } from './options.js';
import { atLeastShare, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';
import { median } from './statistics.js';

export const CLIENTS = 8;
const ROUNDS = 3;
const SELF_PER_SECOND = 1_000;
const STATE_SHARE = 0.8;

interface Load {
  readonly what: string;
  readonly options: Omit<CannonOptions, 'connections'>;
}

/** Reads at eight clients: the API's, and those of LXD alone, in turns. */
export async function benchReads(stage: Stage, options: Options, report: Report): Promise<void> {
  const members = await stage.members.running(CLIENTS);
  await stage.quiet();
  const loads = loadsOf(stage, members);
  const results = new Map<string, Result[]>(loads.map(({ what }) => [what, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { what, options: load } of loads) results.get(what)?.push(await fire({ ...load, duration: options.seconds }));
  }
  const line = (what: string): Line => lineOf(what, results.get(what) ?? []);
  const against = (what: string, rawWhat: string): Line => {
    const [ours, raw] = [line(what), line(rawWhat)];
    return { ...ours, ...atLeastShare({ value: ours.value, raw: raw.value, share: STATE_SHARE }) };
  };
  const self = (what: string): Line => {
    const ours = line(what);
    return { ...ours, target: `≥ ${SELF_PER_SECOND} /s`, met: ours.value >= SELF_PER_SECOND };
  };
  report(`reads, ${CLIENTS} clients of one user`, [
    { ...self('GET /v1/webspace/self'), note: 'original: 113 /s' },
    line('LXD alone: the instance'),
    { ...against('GET /v1/webspace/self/state', 'LXD alone: the state'), note: 'original: 25 /s' },
    line('LXD alone: the state'),
  ]);
  report(`reads, ${CLIENTS} clients of ${CLIENTS} users`, [
    line('GET /v1/webspace/self, 8 users'),
    line('LXD alone: 8 instances'),
    against('GET /v1/webspace/self/state, 8 users', 'LXD alone: 8 states'),
    line('LXD alone: 8 states'),
  ]);
  report(`memory after ${options.requests} requests`, await memory(stage, loads, options));
  await stage.members.removeAll();
}

function loadsOf(stage: Stage, members: readonly Member[]): Load[] {
  const url = stage.lab.profile.urls.api;
  const socket = { url: 'http://lxd', socketPath: stage.lab.lxdSocket };
  const [one] = members as [Member];
  const headersOf = ({ token }: Member) => ({ authorization: `Bearer ${token}` });
  /** Each client is another member. */
  const each = (pathOf: (member: Member) => string, withToken: boolean): Pick<CannonOptions, 'setupClient'> => {
    let next = 0;
    return {
      setupClient: (client) => {
        const member = members[next++ % members.length] as Member;
        client.setRequests([{ path: pathOf(member), ...(withToken ? { headers: headersOf(member) } : {}) }]);
      },
    };
  };
  const instance = (member: Member) => `/1.0/instances/${member.webspace}`;
  const path = '/v1/webspace/self';
  return [
    { what: `GET ${path}`, options: { url: `${url}${path}`, headers: headersOf(one) } },
    { what: 'LXD alone: the instance', options: { ...socket, url: `http://lxd${instance(one)}` } },
    { what: `GET ${path}/state`, options: { url: `${url}${path}/state`, headers: headersOf(one) } },
    { what: 'LXD alone: the state', options: { ...socket, url: `http://lxd${instance(one)}/state` } },
    { what: `GET ${path}, 8 users`, options: { url, ...each(() => path, true) } },
    { what: 'LXD alone: 8 instances', options: { ...socket, ...each(instance, false) } },
    { what: `GET ${path}/state, 8 users`, options: { url, ...each(() => `${path}/state`, true) } },
    { what: 'LXD alone: 8 states', options: { ...socket, ...each((member) => `${instance(member)}/state`, false) } },
  ];
}

/** @throws Error when anything but 2xx was answered. */
export async function fire(options: Omit<CannonOptions, 'connections'>): Promise<Result> {
  const result = await autocannon({ ...options, connections: CLIENTS });
  const { non2xx, errors, timeouts } = result;
  if (non2xx + errors + timeouts > 0) {
    throw new Error(`${options.url}: ${non2xx} answers were not 2xx, ${errors} errors, ${timeouts} timeouts`);
  }
  return result;
}

export function lineOf(what: string, results: readonly Result[]): Line {
  return {
    what,
    value: median(results.map(({ requests }) => requests.average)),
    unit: '/s',
    count: results.reduce((total, { requests }) => total + requests.total, 0),
    p99: Math.max(...results.map(({ latency }) => latency.p99)),
  };
}

async function memory(stage: Stage, loads: readonly Load[], { requests }: Options): Promise<Line[]> {
  const [self] = loads as [Load];
  const residentMb = (name: 'api' | 'worker') => stage.lab.process(name).residentBytes() / 2 ** 20;
  const before = { api: residentMb('api'), worker: residentMb('worker') };
  await fire({ ...self.options, amount: requests });
  return (['api', 'worker'] as const).map((name) => {
    const value = residentMb(name);
    return { what: name, value, unit: 'MB', difference: value - before[name], note: `original: 50 to 55 MB` };
  });
}
