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
  readonly state: MemberState;
  /** In the database; undefined when it did not say. */
  readonly role?: 'leader' | 'voter' | 'other';
}

/**
 * Asks a member over the network, as any client does (`/1.0`), and as another member does whether it leads or votes (`HEAD /internal/database`:
 * 200 leads, 503 votes, 404 neither; LXD 5.0, lxd/cluster/gateway.go). Its own certificate is trusted by it even before it has its database.
 * Each time by a new connection: an old one would not notice that a pod is gone. `onVote` hears at once that its database answers: of a member
 * that waits, `/1.0` says so only by saying nothing for a while.
 */
export async function askMember(address: string, volume: string, onVote: () => void): Promise<MemberAnswer> {
  const agent = agentFor(volume);
  if (!agent) return { state: 'silent' };
  try {
    const database = await ask(agent, address, 'HEAD', '/internal/database');
    if (database !== undefined) onVote();
    const api = await ask(agent, address, 'GET', '/1.0');
    const state = api === 200 ? 'serving' : api === undefined && database === undefined ? 'silent' : 'waiting';
    const role = ({ 200: 'leader', 503: 'voter', 404: 'other' } as const)[database ?? 0];
    return role === undefined ? { state } : { state, role };
  } finally {
    agent.destroy();
  }
}

/** The status of the answer; undefined when there is none. */
function ask(agent: Agent, host: string, method: string, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { 'X-Dqlite-Version': DQLITE_VERSION };
    const sent = request({ host, port: HTTPS_PORT, method, path, headers, timeout: PATIENCE_MS, agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
      answer.on('error', () => resolve(undefined));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
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
