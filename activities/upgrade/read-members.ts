import { z } from 'zod';
import type { Alignment, ObservedMember, ObservedPod } from '#libs/domain/upgrade/observed.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from '#libs/lxd/answer.js';
import { clusterMember, server } from '#libs/lxd/schemas.js';
import type { Cluster } from './deps.js';
import type { LxdRequest } from './member-lxd.js';
import type { KnownMembers } from './remembered.js';

export type RunningPod = ObservedPod & { readonly uid: string };

/** The members as their database has them, and what each answers now. */
export interface ReadMembers {
  readonly members: readonly ObservedMember[];
  readonly leader?: string;
  readonly alignment: Alignment;
  /** Absent when none could be asked: then the members are as they were last known. */
  readonly known?: KnownMembers;
}

/**
 * Rows of table `nodes`, with the instances that run, or would run again after a restart of their member: LXD notes it in the database, which
 * can be read while a member waits for others and lists of instances hang.
 */
const ROWS =
  "SELECT n.name, n.schema, n.api_extensions, (SELECT count(*) FROM instances i JOIN instances_config c ON c.instance_id = i.id WHERE i.node_id = n.id AND c.key = 'volatile.last_state.power' AND c.value = 'RUNNING') FROM nodes n";

const rows = z.object({
  Results: z.array(z.object({ rows: z.array(z.tuple([z.string(), z.number(), z.number(), z.number()])).nullable() })).min(1),
});
const listed = z.array(clusterMember);

const QUESTIONS: readonly LxdRequest[] = [
  { path: '/1.0' },
  { path: '/1.0/cluster/members?recursion=1' },
  { method: 'POST', path: '/internal/sql', body: { database: 'global', query: ROWS } },
];

/**
 * All running pods are asked at once whether they serve; the one that is the likeliest to is asked the rest in the same breath, the others only
 * when it has no answer.
 * @throws UNAVAILABLE when no member can be asked and nothing is known of them from before.
 */
export async function readMembers(cluster: Cluster, pods: readonly RunningPod[], signal: AbortSignal): Promise<ReadMembers> {
  const running = pods.filter(({ phase }) => phase === 'Running');
  const likeliest = running.find(({ ready, deleting }) => ready === 'yes' && deleting === 'no') ?? running[0];
  const looks = await Promise.all(
    running.map(async (pod) => ({ pod, ...(await cluster.lxd.look(pod, pod === likeliest ? QUESTIONS : [], { signal })) })),
  );
  const answers = new Map(looks.map(({ pod, answers: answer }) => [pod.name, answer]));
  const serving = looks
    .filter(({ answers: answer }) => answer === 'serving')
    .sort((a, b) => Number(b.pod === likeliest) - Number(a.pod === likeliest));
  const asked = await firstOf(serving, async ({ pod, said }) =>
    askedOf(pod.name, pod === likeliest && said ? said() : await cluster.lxd.ask(pod.name, QUESTIONS, { signal }), pods),
  );
  const answerOf = (pod: string) => answers.get(pod) ?? 'silent';
  if ('value' in asked) {
    const { known, statuses } = asked.value;
    await silenceWithoutVote(cluster, { pods: running, known, answers }, signal);
    return { ...readOf(cluster, known, (name, pod) => ({ ...statusOf(statuses, name), answers: answerOf(pod) })), known };
  }
  const remembered = await cluster.remembered.members(signal);
  if (!remembered) {
    throw new PlatformError('UNAVAILABLE', `No member of ${cluster.config.name} can be asked: ${asked.why || 'none serves'}.`);
  }
  await silenceWithoutVote(cluster, { pods: running, known: remembered, answers }, signal);
  return readOf(cluster, remembered, (_name, pod) => {
    const now = answerOf(pod);
    return { status: now === 'silent' ? 'Offline' : 'Online', message: 'No member can be asked; as last known.', answers: now };
  });
}

interface Looked {
  readonly pods: readonly RunningPod[];
  readonly known: KnownMembers;
  /** Of each pod; those without a vote are made silent. */
  readonly answers: Map<string, ObservedMember['answers']>;
}

/** A member that waits answers before its vote counts again; it must not be taken for a voter until then. */
async function silenceWithoutVote({ lxd }: Cluster, { pods, known, answers }: Looked, signal: AbortSignal): Promise<void> {
  const waiting = pods.filter(({ name }) => answers.get(name) === 'waiting');
  await Promise.all(
    waiting.map(async (pod) => {
      const address = known.members.find((member) => member.pod === pod.name)?.address;
      if (address !== undefined && (await lxd.votes(pod, address, { signal })) === 'no') answers.set(pod.name, 'silent');
    }),
  );
}

type Now = Pick<ObservedMember, 'status' | 'message' | 'answers'>;

function readOf({ config }: Cluster, known: KnownMembers, nowOf: (name: string, pod: string) => Now): ReadMembers {
  const members = known.members.map(({ name, pod, architecture, database, evacuated, instancesRunning, versions }): ObservedMember => {
    const now = nowOf(name, pod);
    const status = evacuated === 'yes' && now.status === 'Online' ? 'Evacuated' : now.status;
    return { name, pod, architecture, ...now, status, versions, database, instancesRunning };
  });
  return {
    members,
    ...(known.leader === undefined ? {} : { leader: known.leader }),
    alignment: config.alignment ?? alignmentOf(known.serverVersion),
  };
}

/** LXD 5.0 only waits for members that are behind (libs/domain/upgrade/observed.ts). */
export function alignmentOf(serverVersion: string): Alignment {
  return /^(?:[0-4]\.|5\.0(?:\.|$))/.test(serverVersion) ? 'upwards' : 'both';
}

interface Asked {
  readonly known: KnownMembers;
  readonly statuses: ReadonlyMap<string, { readonly status: string; readonly message: string }>;
}

function askedOf(pod: string, [own, list, table]: readonly unknown[], pods: readonly ObservedPod[]): Asked {
  const { environment } = parseMetadata(own, server, `read the server in ${pod}`);
  const found = parseMetadata(list, listed, `list the cluster's members in ${pod}`);
  const recorded = new Map(
    parseMetadata(table, rows, `read table nodes in ${pod}`).Results[0]?.rows?.map(([name, ...rest]) => [name, rest] as const),
  );
  const members = found.flatMap(({ server_name: name, url, roles, architecture, status }) => {
    const [schema, apiExtensions, instancesRunning] = recorded.get(name) ?? [];
    if (schema === undefined || apiExtensions === undefined || instancesRunning === undefined) return [];
    return {
      name,
      pod: podOf(name, url, pods),
      address: addressOf(url),
      architecture,
      database: databaseOf(roles),
      evacuated: status === 'Evacuated' ? ('yes' as const) : ('no' as const),
      instancesRunning,
      versions: { schema, apiExtensions },
    };
  });
  const leader = found.find(({ roles }) => roles.includes('database-leader'))?.server_name;
  const known = { serverVersion: environment.server_version, ...(leader === undefined ? {} : { leader }), members };
  return { known, statuses: new Map(found.map(({ server_name, status, message }) => [server_name, { status, message }])) };
}

/** Members are called as their pods, or have their pod's DNS name as address. */
function podOf(name: string, url: string, pods: readonly ObservedPod[]): string {
  const called = pods.find((pod) => pod.name === name)?.name;
  if (called !== undefined) return called;
  const host = new URL(url).hostname.split('.')[0] ?? name;
  return pods.some((pod) => pod.name === host) ? host : name;
}

/** `host:port` of a member's URL, also where the port is that of HTTPS. */
function addressOf(url: string): string {
  const { host, port } = new URL(url);
  return port === '' ? `${host}:443` : host;
}

function databaseOf(roles: readonly string[]): ObservedMember['database'] {
  if (roles.includes('database') || roles.includes('database-leader')) return 'voter';
  return roles.includes('database-standby') ? 'standby' : 'spare';
}

function statusOf(statuses: Asked['statuses'], name: string): Pick<ObservedMember, 'status' | 'message'> {
  const { status = 'Offline', message = 'not in the list of members' } = statuses.get(name) ?? {};
  const known = (['Online', 'Evacuated', 'Offline', 'Blocked'] as const).find((one) => one === status);
  return known ? { status: known, message } : { status: 'Offline', message: `${status}: ${message}` };
}

/** The first answer, asked one after the other: most often the first one gives it. */
async function firstOf<P, T>(
  pods: readonly P[],
  askOne: (pod: P) => Promise<T>,
): Promise<{ readonly value: T } | { readonly why: string }> {
  let why = '';
  for (const pod of pods) {
    try {
      return { value: await askOne(pod) };
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      why = error.message;
    }
  }
  return { why };
}
