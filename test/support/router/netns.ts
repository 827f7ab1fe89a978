import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run, tryRun } from '#lab/exec.js';
import { projectRoot } from '#lab/project.js';

const ORDER_MS = 60_000;

/** One network namespace of a test, and an agent in it that does what it is told (`agent.ts`). */
export class Netns {
  readonly name: string;
  #agent: ChildProcess | undefined;
  #answers = new Map<number, (answer: unknown) => void>();
  #next = 1;

  private constructor(name: string) {
    this.name = name;
  }

  /** Made anew: what an earlier run left of that name goes first. */
  static async make(name: string): Promise<Netns> {
    await tryRun('ip', ['netns', 'del', name]);
    await run('ip', ['netns', 'add', name]);
    const netns = new Netns(name);
    await netns.ip('link set lo up');
    return netns;
  }

  /** Lines as `ip -batch` takes them. */
  async ip(...lines: readonly string[]): Promise<void> {
    await run('ip', ['-n', this.name, '-batch', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 20_000 });
  }

  get enter(): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.name}`];
  }

  run(command: readonly string[], input = ''): Promise<string> {
    const [program = '', ...args] = [...this.enter, ...command];
    return run(program, args, { input, timeoutMs: 20_000 });
  }

  tryRun(command: readonly string[], input = '') {
    const [program = '', ...args] = [...this.enter, ...command];
    return tryRun(program, args, { input, timeoutMs: 20_000 });
  }

  /** An order to the agent, started with the first one. */
  async do<T>(what: string, order: Readonly<Record<string, unknown>> = {}, timeoutMs = ORDER_MS): Promise<T> {
    const agent = this.#agent ?? (await this.#startAgent());
    const id = this.#next++;
    const answered = new Promise<T>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${what} in ${this.name}: no answer within ${timeoutMs} ms`)), timeoutMs);
      this.#answers.set(id, (answer) => {
        clearTimeout(late);
        resolve(answer as T);
      });
    });
    agent.stdin?.write(`${JSON.stringify({ ...order, id, do: what })}\n`);
    return answered;
  }

  tcp = (host: string, port: number, timeoutMs = 3_000) => this.do<string>('tcp', { host, port, timeoutMs });
  udp = (host: string, port: number, timeoutMs = 3_000) => this.do<string>('udp', { host, port, timeoutMs });
  ask = (server: string, name: string, type = 'A', timeoutMs = 3_000) =>
    this.do<string[] | string>('ask', { server, name, type, timeoutMs });

  async remove(): Promise<void> {
    if (this.#agent) {
      const ended = once(this.#agent, 'exit');
      this.#agent.stdin?.end();
      this.#agent.kill('SIGKILL');
      await ended;
    }
    await tryRun('ip', ['netns', 'del', this.name]);
  }

  async #startAgent(): Promise<ChildProcess> {
    const program = join(projectRoot(), 'dist', 'test', 'support', 'router', 'agent.js');
    const [command = '', ...args] = [...this.enter, process.execPath, program];
    const agent = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#agent = agent;
    const lines = createInterface({ input: agent.stdout });
    const ready = once(lines, 'line');
    await ready;
    lines.on('line', (line) => {
      const { id, answer } = JSON.parse(line) as { id: number; answer: unknown };
      this.#answers.get(id)?.(answer);
      this.#answers.delete(id);
    });
    return agent;
  }
}
