import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { MemberState } from './samples.js';

const PATIENCE_MS = 2_000;
const HTTPS_PORT = 8443;
/** LXD's own, of 5.0; without it a member takes the question for that of a stranger. */
const DQLITE_VERSION = '1';

export interface MemberAnswer {
  /** `late`: something listens there, and said nothing within the time. */
  readonly state: MemberState | 'late';
  /** In the database; undefined when it did not say. */
  readonly role?: 'leader' | 'voter' | 'other';
}

/** The status of an answer, or why there is none. */
type Said = number | 'late' | 'nobody';

/**
 * Asks a member over the network, as any client does (`/1.0`), and as another member does whether it leads or votes (`HEAD /internal/database`:
 * 200 leads, 503 votes, 404 neither; LXD 5.0, lxd/cluster/gateway.go). Its own certificate is trusted by it even before it has its database.
 * Each time by a new connection: an old one would not notice that a pod is gone.
 */
export async function askMember(address: string, volume: string): Promise<MemberAnswer> {
  return withAgent(volume, { state: 'silent' }, async (agent) => {
    const database = await askDatabase(agent, address);
    const api = await ask(agent, address, 'GET', '/1.0');
    const role = ({ 200: 'leader', 503: 'voter', 404: 'other' } as const)[Number(database)];
    const state = stateOf(database, api);
    return role === undefined ? { state } : { state, role };
  });
}

/** Whether its database answers: a member that waits for others says so at once by this, and by `/1.0` only by saying nothing for a while. */
export function askVote(address: string, volume: string): Promise<boolean> {
  return withAgent(volume, false, async (agent) => typeof (await askDatabase(agent, address)) === 'number');
}

function stateOf(database: Said, api: Said): MemberAnswer['state'] {
  if (api === 200) return 'serving';
  if (typeof api === 'number' || typeof database === 'number') return 'waiting';
  return database === 'late' && api === 'late' ? 'late' : 'silent';
}

const askDatabase = (agent: Agent, address: string) => ask(agent, address, 'HEAD', '/internal/database');

function ask(agent: Agent, host: string, method: string, path: string): Promise<Said> {
  return new Promise((resolve) => {
    const headers = { 'X-Dqlite-Version': DQLITE_VERSION };
    const sent = request({ host, port: HTTPS_PORT, method, path, headers, timeout: PATIENCE_MS, agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 'nobody'));
      answer.on('error', () => resolve('nobody'));
    });
    sent.on('timeout', () => {
      resolve('late');
      sent.destroy();
    });
    sent.on('error', () => resolve('nobody'));
    sent.end();
  });
}

async function withAgent<T>(volume: string, without: T, use: (agent: Agent) => Promise<T>): Promise<T> {
  const agent = agentFor(volume);
  if (!agent) return without;
  try {
    return await use(agent);
  } finally {
    agent.destroy();
  }
}

function agentFor(volume: string): Agent | undefined {
  try {
    const [cert, key] = ['server.crt', 'server.key'].map((name) => readFileSync(join(volume, name), 'utf8')) as [string, string];
    return new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, cert, key });
  } catch {
    // A volume without a certificate has no member yet.
    return undefined;
  }
}

/** Whether a container serves its page. */
export function askWeb(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = get({ host: address, port, path: '/', agent: false, timeout: PATIENCE_MS }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode === 200));
      answer.on('error', () => resolve(false));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
  });
}
