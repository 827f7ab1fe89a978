import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import { timeLimit } from '#libs/net/time-limit.js';
import { type Machine, machineArguments, type Sockets } from './command-line.js';
import { GuestAgent } from './guest-agent.js';
import { LineSocket } from './line-socket.js';

export interface MachineOptions {
  readonly qemu: string;
  readonly machine: Machine;
  readonly log: Logger;
}

const SOCKETS_MS = 20_000;
const POLL_MS = 50;
const LINES_KEPT = 3;
const MONITOR_MS = 2_000;

/** A machine that runs. */
export class RunningMachine {
  readonly agent: GuestAgent;
  /** How it ended, and what it said last. */
  readonly ended: Promise<string>;
  /** Each line that LXD prints. */
  onLxdLine: (line: string) => void = () => undefined;
  #running = true;
  readonly #sockets: Sockets;
  readonly pid: number;
  readonly #kill: () => void;

  private constructor({ qemu, machine, log }: MachineOptions) {
    this.#sockets = machine.sockets;
    for (const socket of Object.values(machine.sockets)) rmSync(socket, { force: true });
    this.agent = new GuestAgent(machine.sockets.agent);
    const child = spawn(qemu, machineArguments(machine), { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    this.pid = child.pid ?? 0;
    this.#kill = () => void child.kill('SIGKILL');
    const said: string[] = [];
    const ofMachine = log.child({ from: 'vm' });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (said.push(line) > LINES_KEPT) said.shift();
        ofMachine.info(line);
      });
    }
    this.ended = new Promise((resolve) => {
      const end = (how: string) => {
        this.#running = false;
        resolve([how, ...said].join(': '));
      };
      child.once('close', (code, signal) => end(signal === null ? `exit ${code}` : signal));
      child.once('error', (error) => end(error.message));
    });
  }

  /** Starts it; it is at its beginning when this returns. @throws PlatformError UNAVAILABLE when QEMU does not run. */
  static async start(options: MachineOptions): Promise<RunningMachine> {
    const machine = new RunningMachine(options);
    try {
      const log = await machine.#connected(options.machine.sockets.lxdLog);
      createInterface({ input: log }).on('line', (line) => machine.onLxdLine(line));
      // The machine's end tells the rest.
      log.on('error', () => undefined);
      return machine;
    } catch (error) {
      machine.kill();
      throw error;
    }
  }

  get running(): boolean {
    return this.#running;
  }

  /** Presses the power button, and waits for the end, until then; what still runs is killed. */
  async powerOff(until: number): Promise<'off' | 'killed'> {
    const giveUp = new AbortController();
    const late = delay(Math.max(until - Date.now(), 1), 'late' as const, { signal: giveUp.signal });
    // What cannot be told to the machine ends by the time.
    void this.#pressButton().catch(() => undefined);
    const first = await Promise.race([this.ended, late]);
    giveUp.abort();
    if (first !== 'late') return 'off';
    this.kill();
    await this.ended;
    return 'killed';
  }

  kill(): void {
    this.#kill();
  }

  async #pressButton(): Promise<void> {
    const monitor = await LineSocket.open(this.#sockets.monitor, "QEMU's monitor", timeLimit(MONITOR_MS));
    try {
      await monitor.ask('qmp_capabilities');
      await monitor.ask('system_powerdown');
    } finally {
      monitor.close();
    }
  }

  async #connected(path: string): Promise<Socket> {
    const until = Date.now() + SOCKETS_MS;
    for (;;) {
      if (!this.#running) throw new PlatformError('UNAVAILABLE', `QEMU has ended: ${await this.ended}.`);
      const socket = await tryConnect(path);
      if (socket) return socket;
      if (Date.now() > until) throw new PlatformError('UNAVAILABLE', `QEMU has not opened ${path} within ${SOCKETS_MS / 1000} s.`);
      await delay(POLL_MS);
    }
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    // Not there yet.
    socket.once('error', () => resolve(undefined));
  });
}
