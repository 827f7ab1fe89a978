import type { Lab } from '#lab/harness.js';
import type { HttpAnswer } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { type Cluster, REMOVALS_APPROVED } from './cluster.js';
import { instanceNames } from './instances.js';
import type { Sweeps } from './sweeps.js';

export interface Member {
  readonly id: number;
  readonly username: string;
  readonly webspace: string;
}

const FIRST = 1001;
const OURS = /\b(ws-u|member)1\d{3}\b/;

/** Members of the tests' own, and what they do with their webspaces. */
export class Members {
  constructor(
    private readonly lab: Lab,
    private readonly cluster: Cluster,
    private readonly sweeps: Sweeps,
  ) {}

  one(index: number): Member {
    const id = FIRST + index;
    return { id, username: `member${id}`, webspace: `ws-u${id}` };
  }

  some(count: number, from = 0): Member[] {
    return Array.from({ length: count }, (_, i) => this.one(from + i));
  }

  ask(member: Member, method: string, path = '', body?: unknown): Promise<HttpAnswer> {
    return this.lab.api({ id: member.id }, method, `/v1/webspace/self${path}`, body);
  }

  /** Asks and expects that status; the answer's body is part of the error. */
  async expect(status: number, member: Member, method: string, path = '', body?: unknown): Promise<HttpAnswer> {
    const answer = await this.ask(member, method, path, body);
    if (answer.status !== status)
      throw new Error(`${method} ${path} of ${member.username}: ${answer.status} instead of ${status}: ${answer.body}`);
    return answer;
  }

  async create(member: Member, image = 'hello'): Promise<void> {
    await this.expect(201, member, 'POST', '', { image });
  }

  /** A change by v2, waited for until it ended so. */
  async change(member: Member, change: object, wanted = 'completed'): Promise<Record<string, unknown>> {
    const begun = await this.lab.api({ id: member.id }, 'PATCH', `/v2/webspaces/${member.webspace}`, change);
    if (begun.status !== 202) throw new Error(`${begun.status} ${begun.body}`);
    const { id } = begun.json<{ id: string }>();
    const look = async () => {
      const operation = (await this.lab.api('admin', 'GET', `/v2/operations/${id}`)).json<Record<string, unknown>>();
      return operation['status'] === 'running' ? undefined : operation;
    };
    const ended = await waitFor(`the end of ${id}`, look, { timeoutMs: 30_000 });
    if (ended['status'] !== wanted) throw new Error(`${id} is ${ended['status']} instead of ${wanted}: ${JSON.stringify(ended)}`);
    return ended;
  }

  /** Forwarded TCP ports as v1 shows them: outside to inside. */
  async forwards(member: Member): Promise<Record<string, number>> {
    return (await this.expect(200, member, 'GET', '/ports')).json<Record<string, number>>();
  }

  /** Makes and boots webspaces, a few at a time, until each site answers, without the gateway, and nothing of its boot is under way any more. */
  async running(...members: readonly Member[]): Promise<void> {
    await inTurns(members, 4, async (member) => {
      await this.create(member);
      await this.expect(204, member, 'POST', '/state');
      await this.served(member);
      await this.settled(member);
    });
  }

  async delete(member: Member): Promise<void> {
    await this.expect(204, member, 'DELETE');
  }

  /** The site answers with the page from inside the container. */
  served(member: Member, timeoutMs = 20_000): Promise<HttpAnswer> {
    return waitFor(`the site of ${member.username}`, () => this.page(member), { timeoutMs, intervalMs: 50 });
  }

  /** Visitors are led to the container, and no operation holds the webspace. */
  async settled({ webspace }: Member): Promise<void> {
    const settled = async () => {
      const [target, lease] = await Promise.all([this.cluster.target(webspace), this.cluster.find('lease', webspace)]);
      const holder = (lease?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity;
      if (target === webspace && !holder) return true;
      throw new Error(`visitors are led to ${target}, ${holder ? `${holder} holds the lock` : 'nobody holds the lock'}`);
    };
    await waitFor(`the boot of ${webspace} to be settled`, settled, { timeoutMs: 20_000 });
  }

  /** The page from inside the container, or undefined while anything else answers. */
  async page(member: Member): Promise<HttpAnswer | undefined> {
    const answer = await this.lab.visit(member.username, '/', { timeoutMs: 5_000 });
    return answer.status === 200 && answer.body.includes(member.webspace) ? answer : undefined;
  }

  /** The record of a webspace that was made here, which always has an address. */
  async record(member: Member): Promise<WebspaceRecord & { network: { address: string } }> {
    return JSON.parse(await this.lab.lxc(['config', 'get', member.webspace, RECORD_KEY])) as WebspaceRecord & {
      network: { address: string };
    };
  }

  writeRecord(member: Member, record: unknown): Promise<string> {
    const text = typeof record === 'string' ? record : JSON.stringify(record);
    return this.lab.lxc(['config', 'set', member.webspace, `${RECORD_KEY}=${text}`]);
  }

  instances(): Promise<string[]> {
    return instanceNames(this.lab);
  }

  /** What LXD and Kubernetes hold of webspaces, all listed. */
  async audit(): Promise<string[]> {
    const [instances, objects] = await Promise.all([this.instances(), this.cluster.everything()]);
    return [...instances.filter((name) => name.startsWith('ws-')).map((name) => `instance/${name}`), ...objects];
  }

  /** What LXD and Kubernetes hold of the webspaces of these members. */
  async leftOf(...members: readonly Member[]): Promise<string[]> {
    const all = await this.audit();
    return all.filter((what) => members.some(({ webspace, username }) => new RegExp(`\\b(${webspace}|${username})\\b`).test(what)));
  }

  /** Removes every webspace of the tests, whatever state it is in, and proves that nothing of them is left. */
  async removeAll(): Promise<void> {
    const ours = (await this.instances()).filter((name) => OURS.test(name));
    await inTurns(ours, 4, async (name) => {
      const id = Number(name.slice('ws-u'.length));
      const answer = await this.lab.api({ id }, 'DELETE', '/v1/webspace/self');
      if (answer.status === 204 || answer.status === 404) return;
      // A delete that was not waited for to its end may be quicker.
      await this.lab.lxc(['delete', '--force', name]).catch((error: unknown) => {
        if (!/not found/i.test(String(error))) throw error;
      });
    });
    const gone = async () => (await this.leftOvers()).length === 0;
    try {
      await waitFor('nothing of the members to be left', gone, { timeoutMs: 2_000, intervalMs: 100 });
    } catch {
      // Instances that went away unseen by a failed test: the sweep may ask for a yes first.
      await this.cluster.approveRemovals(1_000);
      try {
        await this.sweeps.run();
        await waitFor('nothing of the members to be left', gone, { timeoutMs: 30_000, intervalMs: 200 });
      } catch (cause) {
        throw new Error(`left of the members: ${(await this.leftOvers()).join(', ')}`, { cause });
      } finally {
        await this.cluster.remove('configMap', REMOVALS_APPROVED);
      }
    }
  }

  async leftOvers(): Promise<string[]> {
    const all = await this.audit();
    return all.filter((what) => OURS.test(what));
  }
}

export async function inTurns<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next);
    }),
  );
}
