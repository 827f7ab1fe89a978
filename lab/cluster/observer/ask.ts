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

const agents = new Map<string, Agent>();

/**
 * Asks a member over the network, as any client does (`/1.0`), and as another member does whether it leads or votes (`HEAD /internal/database`:
 * 200 leads, 503 votes, 404 neither; LXD 5.0, lxd/cluster/gateway.go).
 */
export async function askMember(address: string, volume: string): Promise<MemberAnswer> {
  const [public_, internal] = await Promise.all([ask(address, volume, 'GET', '/1.0'), ask(address, volume, 'HEAD', '/internal/database')]);
  const state = public_ === 200 ? 'serving' : public_ === undefined && internal === undefined ? 'silent' : 'waiting';
  const role = internal === undefined ? undefined : ({ 200: 'leader', 503: 'voter', 404: 'other' } as const)[internal];
  return role === undefined ? { state } : { state, role };
}

/** The status of the answer; undefined when there is none. */
function ask(address: string, volume: string, method: string, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    try {
      const headers = { 'X-Dqlite-Version': DQLITE_VERSION };
      const where = { host: address, port: HTTPS_PORT, method, path, headers, timeout: PATIENCE_MS, agent: agentFor(volume) };
      const sent = request({ ...where, rejectUnauthorized: false }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode));
        answer.on('error', () => resolve(undefined));
      });
      sent.on('timeout', () => sent.destroy());
      sent.on('error', () => resolve(undefined));
      sent.end();
    } catch {
      // Its volume is not there, so neither is the member.
      resolve(undefined);
    }
  });
}

function agentFor(volume: string): Agent {
  const [cert, key] = ['cluster.crt', 'cluster.key'].map((name) => readFileSync(join(volume, name), 'utf8'));
  const known = agents.get(volume + cert);
  if (known) return known;
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ...(cert && key ? { cert, key } : {}) });
  agents.set(volume + cert, agent);
  return agent;
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
