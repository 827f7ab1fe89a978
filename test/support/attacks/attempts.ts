import { waitFor } from '#lab/wait.js';
import { metricAt } from '../lan/cluster-attack.js';
import type { AttackPlace } from './place.js';

/** Something that is tried, and what is to be read in what came of it. */
export interface Attempt {
  readonly what: string;
  readonly attempt: (place: AttackPlace) => Promise<string>;
  readonly reads: RegExp;
}

export interface Attack extends Attempt {
  readonly from: 'container' | 'pod' | 'account';
  /** What refuses it. */
  readonly by: string;
}

export interface Target {
  readonly name: string;
  /** What shows that it is there, for who may: otherwise a refusal would only be a lab that is away. */
  readonly controls: readonly Attempt[];
  readonly attacks: readonly Attack[];
}

/** An address and a port, as `nc` takes them. */
export type To = (place: AttackPlace) => string;
type Request = readonly [method: string, path: string, body?: object];

export const member =
  (port: number): To =>
  (place) =>
    `${place.member} ${port}`;
export const service =
  (name: string, port: number): To =>
  (place) =>
    `${place.services[name]} ${port}`;
export const pod =
  (name: string, port: number): To =>
  (place) =>
    `${place.addresses[name]} ${port}`;

/** Connections of the webspace: by the members' network and its router. */
export function fromContainer(what: string, ...to: readonly To[]): Attack {
  const attempt = async (place: AttackPlace) => {
    const said: string[] = [];
    for (const one of to) said.push(verdict(await place.inContainer(`nc -w 5 ${one(place)} < /dev/null && echo CONNECTED`)));
    return said.join('\n');
  };
  return { from: 'container', by: 'the router of the LAN', what, attempt, reads: /^refused(\nrefused)*$/ };
}

/** Of the same, what does not get as far as the router: there is no answer, and the guard counts it for that reason. */
export function fromPort(what: string, reason: string, to: To): Attack {
  const attempt = async (place: AttackPlace) => {
    const counted = () => metricAt(`http://${place.home}:9797`, `webspaces_lxd8s_refused_frames{reason="${reason}"}`);
    const before = await counted();
    const said = await place.inContainer(`nc -w 3 ${to(place)} < /dev/null && echo CONNECTED`);
    await waitFor(`frames to be counted as ${reason}`, async () => (await counted()) > before, { timeoutMs: 20_000, intervalMs: 500 });
    return said.trim();
  };
  return { from: 'container', by: 'the guard of its port', what, attempt, reads: /^nc: timed out$/ };
}

const verdict = (said: string) => (/refused|prohibited/i.test(said) && !said.includes('CONNECTED') ? 'refused' : said.trim());

export function fromPod(by: string, what: string, script: (place: AttackPlace) => string, reads: RegExp): Attack {
  return { from: 'pod', by, what, attempt: (place) => place.inPod(script(place)), reads };
}

/** By Kubernetes' API, which is the only way that an account by itself has. */
export function fromAccount(what: string, ...requests: readonly Request[]): Attack {
  return { from: 'account', by: "Kubernetes' RBAC", what, attempt: ({ account }) => statuses(account, requests), reads: /^403( 403)*$/ };
}

export function byAdmin(what: string, request: Request, reads: RegExp): Attempt {
  return { what, attempt: ({ admin }) => statuses(admin, [request]), reads };
}

async function statuses(client: AttackPlace['account'], requests: readonly Request[]): Promise<string> {
  const all: number[] = [];
  for (const [method, path, body] of requests) all.push((await client.request(method, path, body)).status);
  return all.join(' ');
}
