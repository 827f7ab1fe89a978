import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { Agent } from 'undici';
import type { Lab } from '#lab/harness.js';
import { parseOperationResourceId, type WorkflowRef } from '#libs/contracts/ids.js';
import { inLanes, wallClock } from './statistics.js';

export interface Member {
  readonly id: number;
  readonly username: string;
  readonly webspace: string;
  readonly token: string;
}

/** One request to the API: when it was sent and answered (milliseconds since 1970), and the workflow it began. */
export interface Asked {
  readonly begun: number;
  readonly ended: number;
  readonly ms: number;
  readonly operation: string | undefined;
}

const FIRST_ID = 2001;
const COUNT = 1000;
const LANES = 8;
/** Of members whose webspaces are only there, while those of others are measured. */
const FIRST_EXISTING = 500;

/** Members of the benchmarks' own and what they ask of the API, over kept-alive connections. */
export class Members {
  readonly #agent = new Agent({ keepAliveTimeout: 30_000, bodyTimeout: 90_000, headersTimeout: 90_000 });
  readonly #tokens = new Map<number, string>();
  #next = 0;
  #existing = 0;

  constructor(
    private readonly lab: Lab,
    private readonly temporal: Client,
  ) {
    addUsers(join(lab.profile.paths.apps, 'users.json'));
  }

  /** One that has no webspace. Used again after many others. */
  fresh(): Member {
    this.#next += 1;
    return this.#member(this.#next % FIRST_EXISTING);
  }

  #member(index: number): Member {
    const id = FIRST_ID + index;
    const token = this.#tokens.get(id) ?? this.lab.tokenFor({ id });
    this.#tokens.set(id, token);
    return { id, username: `bench${id}`, webspace: `ws-u${id}`, token };
  }

  /** @throws Error for another status than the one expected. */
  async ask(
    status: number,
    member: Member,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path = '',
    body?: unknown,
  ): Promise<Asked> {
    const begun = wallClock();
    const answer = await this.#agent.request({
      origin: this.lab.profile.urls.api,
      path: `/v1/webspace/self${path}`,
      method,
      headers: { authorization: `Bearer ${member.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.body.text();
    const ended = wallClock();
    if (answer.statusCode !== status) {
      throw new Error(`${method} ${path} of ${member.username}: ${answer.statusCode} instead of ${status}: ${text}`);
    }
    const operation = answer.headers['x-operation-id'];
    return { begun, ended, ms: ended - begun, operation: typeof operation === 'string' ? operation : undefined };
  }

  create(member: Member): Promise<Asked> {
    return this.ask(201, member, 'POST', '', { image: 'hello' });
  }

  async delete(member: Member): Promise<void> {
    await this.ask(204, member, 'DELETE');
  }

  boot(member: Member): Promise<Asked> {
    return this.ask(204, member, 'POST', '/state');
  }

  /** What an answer leaves to be done has been done, too. */
  async ended(asked: Asked): Promise<void> {
    const { workflowId, runId } = workflowOf(asked);
    await this.temporal.workflow.getHandle(workflowId, runId).result();
  }

  /** So many webspaces more or less, made through the API, until that many are there. */
  async haveExisting(count: number): Promise<void> {
    const indices = Array.from({ length: Math.abs(count - this.#existing) }, (_, i) => Math.min(count, this.#existing) + i);
    const change = count > this.#existing ? (member: Member) => this.create(member) : (member: Member) => this.delete(member);
    await inLanes(indices, LANES, (index) => change(this.#member(FIRST_EXISTING + index)));
    this.#existing = count;
  }

  /** Members with a webspace that runs. */
  async running(count: number): Promise<Member[]> {
    const members = Array.from({ length: count }, () => this.fresh());
    await inLanes(members, 4, async (member) => {
      await this.ended(await this.create(member));
      await this.ended(await this.boot(member));
    });
    return members;
  }

  async removeAll(): Promise<void> {
    const paths = await this.lab.stack.lxd.client.request<string[]>('GET', '/1.0/instances');
    const ids = paths.flatMap((path) => /\/ws-u(2\d{3})$/.exec(path)?.[1] ?? []).map(Number);
    await inLanes(ids, LANES, (id) => this.delete(this.#member(id - FIRST_ID)));
    this.#existing = 0;
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

/** A boot's answer names its workflow only, whose latest run it then is. */
export function workflowOf({ operation }: Asked): WorkflowRef {
  if (operation === undefined) throw new Error('the answer names no operation');
  return parseOperationResourceId(operation) ?? { workflowId: operation };
}

function addUsers(file: string): void {
  const { users } = JSON.parse(readFileSync(file, 'utf8')) as { users: { id: number }[] };
  const others = users.filter(({ id }) => id < FIRST_ID);
  const ours = Array.from({ length: COUNT }, (_, i) => ({ id: FIRST_ID + i, username: `bench${FIRST_ID + i}`, version: 1 }));
  // The API reads the file again when it changes: it must never meet half of it.
  writeFileSync(`${file}.new`, `${JSON.stringify({ users: [...others, ...ours] }, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
