import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import { timeLimit } from '#libs/net/time-limit.js';
import { LineSocket } from './line-socket.js';

export interface GuestRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs: number;
  /** What it reads from standard input: secrets, too, which nobody sees there. */
  readonly input?: string;
}

const POLL_MS = 50;
const WHAT = 'the guest agent of the machine';
const ENVIRONMENT = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LXD_DIR=/var/lib/lxd'];

const started = z.looseObject({ pid: z.int() });
const status = z.looseObject({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': z.string().default(''),
  'err-data': z.string().default(''),
});

/** Undefined while it runs. @throws PlatformError PROTOCOL for what is no status (qemu-ga-ref(7), GuestExecStatus). */
export function parseStatus(value: unknown): GuestRun | undefined {
  const parsed = status.safeParse(value);
  if (!parsed.success) throw new PlatformError('PROTOCOL', `${WHAT} answers in an unknown form.`, { cause: parsed.error });
  const { exited, exitcode, signal = 0, 'out-data': out, 'err-data': err } = parsed.data;
  if (!exited) return undefined;
  const text = (data: string) => Buffer.from(data, 'base64').toString();
  return { code: exitcode ?? 128 + signal, stdout: text(out), stderr: text(err) };
}

/** Commands in the machine, by QEMU's guest agent: one after the other, since it knows one client at a time. */
export class GuestAgent {
  readonly #socket: string;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Runs a command to its end. @throws PlatformError UNAVAILABLE when the agent has not answered in time, OPERATION_FAILED when it cannot be run. */
  exec(command: readonly string[], options: CommandOptions): Promise<GuestRun> {
    const next = this.#turn.then(() => this.#exec(command, options));
    // The next one's turn comes whatever became of this.
    this.#turn = next.catch(() => undefined);
    return next;
  }

  /** As {@link exec}, for one that must succeed: what it printed. @throws PlatformError OPERATION_FAILED with what it said. */
  async output(command: readonly string[], options: CommandOptions): Promise<string> {
    const { code, stdout, stderr } = await this.exec(command, options);
    if (code === 0) return stdout;
    throw new PlatformError('OPERATION_FAILED', `${command.join(' ')} in the machine: exit ${code}${stderr ? `: ${stderr.trim()}` : ''}.`);
  }

  /** Starts what goes on by itself, and lets go of its output: until then the agent, which gives that back, counts it as running. */
  start(command: readonly string[], { timeoutMs }: { readonly timeoutMs: number }): Promise<GuestRun> {
    return this.exec(['/usr/bin/setsid', '--fork', ...command], { timeoutMs });
  }

  async #exec([path = '', ...arg]: readonly string[], { timeoutMs, input }: CommandOptions): Promise<GuestRun> {
    const signal = timeLimit(timeoutMs);
    const socket = await LineSocket.open(this.#socket, WHAT, signal);
    try {
      // What comes before the answer to this is of an earlier client.
      const id = randomInt(2 ** 31);
      await socket.ask('guest-sync', { id }, (value) => value === id);
      const given = input === undefined ? {} : { 'input-data': Buffer.from(input).toString('base64') };
      const asked = { path, arg, env: ENVIRONMENT, 'capture-output': true, ...given };
      const { pid } = started.parse(await socket.ask('guest-exec', asked));
      for (;;) {
        const run = parseStatus(await socket.ask('guest-exec-status', { pid }));
        if (run) return run;
        await delay(POLL_MS);
      }
    } finally {
      socket.close();
    }
  }
}
