import { readFileSync } from 'node:fs';
import type { HttpAnswer } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { Session } from './lab-session.js';
import type { Member } from './members.js';
import { StreamClient } from './stream-client.js';

export interface CommandRequest {
  readonly command: readonly string[];
  readonly user?: number;
  readonly group?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
}

/** Streams of members, and what they leave inside. */
export class Streams {
  constructor(private readonly session: Session) {}

  headers(member: Member): { authorization: string } {
    return { authorization: `Bearer ${this.session.lab.tokenFor({ id: member.id })}` };
  }

  url(what: 'console' | 'exec', base = this.session.lab.profile.urls.api): string {
    return `${base}/v1/webspace/self/${what}`;
  }

  async console(member: Member, size = { width: 80, height: 24 }): Promise<StreamClient> {
    const client = await StreamClient.open(this.url('console'), { headers: this.headers(member) });
    client.say(size);
    return client;
  }

  async exec(member: Member, request: CommandRequest, base?: string): Promise<StreamClient> {
    const client = await StreamClient.open(this.url('exec', base), { headers: this.headers(member) });
    client.say({ user: 0, group: 0, environment: {}, width: 80, height: 24, ...request });
    return client;
  }

  /** Commands of v2, which are waited for. */
  run(member: Member, body: object): Promise<HttpAnswer> {
    return this.session.lab.api({ id: member.id }, 'POST', `/v2/webspaces/${member.webspace}/exec`, body);
  }

  /** Types the line again until the answer is there: a console tells nobody when it is attached. */
  async answers(console: StreamClient, line: string, answer: RegExp): Promise<void> {
    let typedAt = 0;
    const seen = async () => {
      if (answer.test(console.output)) return true;
      if (Date.now() - typedAt > 1_500) {
        typedAt = Date.now();
        console.type(`${line}\r`);
      }
      return false;
    };
    await waitFor(`${answer} on a console`, seen, { timeoutMs: 60_000, intervalMs: 20 });
  }

  /** Command lines inside that hold the text, asked of LXD alone. */
  async inside(member: Member, text: string): Promise<string[]> {
    const { pid } = JSON.parse(await this.session.lab.lxc(['query', `/1.0/instances/${member.webspace}/state`])) as { pid: number };
    // Not by a command inside: LXD would have to begin and end one more each time.
    const script =
      'for p in /proc/[0-9]*; do [ $p/ns/pid -ef /proc/$1/ns/pid ] && tr "\\0" " " < $p/cmdline && echo; done 2>/dev/null; true';
    const list = await this.session.lab.sandboxExec(['sh', '-c', script, 'sh', String(pid)]);
    return list.split('\n').filter((line) => line.includes(text));
  }

  running(member: Member, text: string): Promise<string[]> {
    return waitFor(`"${text}" to run`, async () => some(await this.inside(member, text)), { timeoutMs: 20_000, intervalMs: 100 });
  }

  /** Milliseconds until nothing with the text runs any more. */
  async gone(member: Member, text: string, timeoutMs: number): Promise<number> {
    const begun = Date.now();
    await waitFor(`"${text}" to be gone`, async () => (await this.inside(member, text)).length === 0, { timeoutMs, intervalMs: 100 });
    return Date.now() - begun;
  }

  /** Resident memory of the API in megabytes. */
  apiMemory(): number {
    const status = readFileSync(`/proc/${this.session.lab.process('api').pid()}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }
}

function some<T>(list: T[]): T[] | undefined {
  return list.length > 0 ? list : undefined;
}
