import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient } from '../../kube-client.js';
import { askMember, askVote, askWeb, type MemberAnswer } from './ask.js';
import type { MemberState, Sample } from './samples.js';

export interface ObserverTask {
  /** A line of JSON for each sample. */
  readonly file: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly members: readonly string[];
  /** Folder of the members' volumes, where each has its certificate. */
  readonly volumes: string;
  readonly webs: readonly { readonly name: string; readonly member: string; readonly port: number }[];
}

const PAUSE_MS = 250;
const AT_LEAST_EVERY_MS = 1_000;
/** Of questions for votes, which do not wait for one another. */
const VOTES_EVERY_MS = 500;
/** On a busy machine an answer can be late; who said so a moment ago, and still listens, votes. */
const VOTES_FOR_MS = 5_000;

const task = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ObserverTask;
const kube = KubeClient.fromKubeconfig(task.kubeconfig);
const addresses = new Map<string, string>();
const members = new Map<string, MemberState>(task.members.map((name) => [name, 'silent']));
const roles = new Map<string, MemberAnswer['role']>();
/** When a member's database last answered, by its address: a pod that comes after it has another. */
const votedAt = new Map<string, number>();
const web = new Map<string, boolean>();
let kubernetes = false;
let last = { text: '', at: 0 };

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string }; readonly status: { readonly podIP?: string } }[];
}

const volumeOf = (name: string) => join(task.volumes, name);

/** Addresses change with each pod; while Kubernetes is away the last ones are used. */
async function lookForPods(): Promise<void> {
  try {
    const list = await kube.get<PodList>(`/api/v1/namespaces/${task.namespace}/pods`);
    kubernetes = true;
    for (const name of task.members) {
      const podIP = list?.items.find(({ metadata }) => metadata.name === name)?.status.podIP;
      if (podIP === undefined) addresses.delete(name);
      else addresses.set(name, podIP);
    }
  } catch {
    // Its absence is what was to be found out.
    kubernetes = false;
  }
}

async function lookAtMember(name: string): Promise<void> {
  const address = addresses.get(name);
  const begun = Date.now();
  const { state, role }: MemberAnswer = address === undefined ? { state: 'silent' } : await askMember(address, volumeOf(name));
  if (address !== undefined && role !== undefined) votedAt.set(address, Date.now());
  const answers = state !== 'late' && state !== 'silent';
  const votes = votedSince(name, state === 'late' ? Date.now() - VOTES_FOR_MS : begun);
  members.set(name, answers ? state : votes ? 'waiting' : 'silent');
  // Who is silent is still counted with the voters it belonged to.
  if (role !== undefined) roles.set(name, role);
  else if (roles.get(name) === 'leader') roles.set(name, 'voter');
}

function votedSince(name: string, since: number): boolean {
  return (votedAt.get(addresses.get(name) ?? '') ?? 0) >= since;
}

/** A look at a member that starts can stand for seconds; its vote is heard of meanwhile. */
async function listenForVote(name: string): Promise<void> {
  const address = addresses.get(name);
  if (address === undefined || members.get(name) === 'serving' || !(await askVote(address, volumeOf(name)))) return;
  votedAt.set(address, Date.now());
  if (addresses.get(name) !== address || members.get(name) !== 'silent') return;
  members.set(name, 'waiting');
  record();
}

async function lookAtWeb({ name, member, port }: ObserverTask['webs'][number]): Promise<void> {
  const address = addresses.get(member);
  web.set(name, address !== undefined && (await askWeb(address, port)));
}

function record(): void {
  const sample: Omit<Sample, 'at'> = {
    members: Object.fromEntries(members),
    voters: task.members.filter((name) => ['voter', 'leader'].includes(roles.get(name) ?? '')),
    leader: task.members.find((name) => roles.get(name) === 'leader') ?? null,
    kubernetes,
    web: Object.fromEntries(web),
  };
  const text = JSON.stringify(sample);
  const at = Date.now();
  if (text === last.text && at - last.at < AT_LEAST_EVERY_MS) return;
  last = { text, at };
  appendFileSync(task.file, `${JSON.stringify({ at, ...sample })}\n`);
}

async function forever(look: () => Promise<void>): Promise<never> {
  for (;;) {
    await look();
    record();
    await sleep(PAUSE_MS);
  }
}

await lookForPods();
await Promise.all(task.members.map(lookAtMember));
await Promise.all(task.webs.map(lookAtWeb));
for (const name of task.members) setInterval(() => void listenForVote(name), VOTES_EVERY_MS);
await Promise.all([
  forever(lookForPods),
  ...task.members.map((name) => forever(() => lookAtMember(name))),
  ...task.webs.map((one) => forever(() => lookAtWeb(one))),
]);
