import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';

const PROGRAM = readFileSync(join(projectRoot(), 'test', 'support', 'frames', 'frames.py'), 'utf8');

/** An interface of some network namespace by raw socket: sends frames as they are, and keeps all that arrive. */
export class RawLink {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #frames: Buffer[] = [];
  #ready = false;
  #sent = 0;
  #asked = 0;
  #synced = 0;
  #syncs = 0;
  #errors = '';

  private constructor(inside: readonly string[], device: string) {
    // As text: a container's root may read no file of ours.
    const [command = '', ...rest] = [...inside, 'python3', '-c', PROGRAM, device];
    this.#child = spawn(command, rest, { stdio: 'pipe' });
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#errors += text.toString();
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#heard(line));
  }

  /** `inside` leads into the namespace: `['ip', 'netns', 'exec', name]`. */
  static async open(inside: readonly string[], device: string): Promise<RawLink> {
    const link = new RawLink(inside, device);
    await waitFor(`raw socket on ${device}`, () => link.#ready || link.#errors !== '', { timeoutMs: 20_000 });
    if (!link.#ready) throw new Error(link.#errors);
    return link;
  }

  /** Returns when the kernel has taken all of them. */
  async send(frame: Buffer, count = 1): Promise<void> {
    this.#asked += count;
    this.#child.stdin.write(`${JSON.stringify({ send: frame.toString('hex'), count })}\n`);
    await waitFor('frames sent', () => this.#sent >= this.#asked || this.#errors !== '', { timeoutMs: 20_000, intervalMs: 5 });
    if (this.#errors !== '') throw new Error(this.#errors);
  }

  /** Returns when {@link frames} has all that the kernel has delivered. */
  async sync(): Promise<void> {
    const wanted = ++this.#syncs;
    this.#child.stdin.write('{"sync": true}\n');
    await waitFor('frames told', () => this.#synced >= wanted, { timeoutMs: 20_000, intervalMs: 5 });
  }

  /** What arrived since the last {@link forget}. */
  get frames(): readonly Buffer[] {
    return this.#frames;
  }

  forget(): void {
    this.#frames.length = 0;
  }

  has(frame: Buffer): boolean {
    return this.#frames.some((each) => each.subarray(0, frame.length).equals(frame));
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #heard(line: string): void {
    const said = JSON.parse(line) as { ready?: true; frame?: string; sent?: number; synced?: true };
    if (said.ready) this.#ready = true;
    if (said.frame !== undefined) this.#frames.push(Buffer.from(said.frame, 'hex'));
    this.#sent += said.sent ?? 0;
    if (said.synced) this.#synced++;
  }
}
