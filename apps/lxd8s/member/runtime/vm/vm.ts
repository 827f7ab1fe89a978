import { randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { Memory } from '../../memory/measure.js';
import type { LxdEnd, LxdRun, RunningInstance, Runtime } from '../runtime.js';
import { type BootOptions, bootMachine, howOf } from './boot.js';
import { LIST_INSTANCES, parseFiles, parseInstances, parseRunLine, READ_FILES } from './guest-look.js';
import type { RunningMachine } from './machine.js';
import { probeMachine } from './probe.js';
import { startRelay } from './relay.js';

export type VmOptions = Omit<BootOptions, 'word'>;

/** A short command in the machine, without KVM on a busy processor. */
const COMMAND_MS = 20_000;
/** What failed is not tried again at once: each try boots a machine. */
const AGAIN_MS = 30_000;

/**
 * LXD in a machine of its own, QEMU a child of this process. LXD's folder here has the machine's disk, LXD's socket (relayed), and copies of its
 * certificates; what is in the disk only the machine sees. Its instances outlive an LXD that ends, and end with the machine.
 */
export class VmRuntime implements Runtime {
  readonly kind = 'vm';
  readonly startsWithinMs: number;
  readonly #options: VmOptions;
  readonly #word = randomBytes(24).toString('hex');
  #machine: RunningMachine | undefined;
  #relay: Server | undefined;
  #probed = false;
  /** What is in the files of LXD's folder here, by name. */
  readonly #copied = new Map<string, string>();
  #memory: Memory | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;

  constructor(options: VmOptions) {
    this.#options = options;
    // The machine, and as long again for LXD in it.
    this.startsWithinMs = 2 * options.config.vm.bootSeconds * 1000;
  }

  async prepare(signal: AbortSignal): Promise<void> {
    if (this.#machine?.running) return;
    if (this.#failure && Date.now() - this.#failure.at < AGAIN_MS) throw this.#failure.error;
    this.#failure = undefined;
    try {
      await this.#boot(signal);
    } catch (error) {
      this.#failure = { error, at: Date.now() };
      throw error;
    }
  }

  start(onLine: (line: string) => void): LxdRun {
    const stopping = new AbortController();
    let guestPid: number | undefined;
    const run = async (): Promise<LxdEnd> => {
      await this.prepare(stopping.signal);
      const machine = this.#running();
      const ended = new Promise<LxdEnd>((resolve) => {
        machine.onLxdLine = (line) => {
          const ofRun = parseRunLine(line);
          if (!ofRun) onLine(line);
          else if ('pid' in ofRun) guestPid = ofRun.pid;
          else resolve({ code: ofRun.ended, signal: null });
        };
      });
      await machine.agent.start(['/usr/lib/lxd8s/run-lxd'], { timeoutMs: COMMAND_MS });
      const gone = machine.ended.then((how): LxdEnd => {
        onLine(`the machine has ended: ${how}`);
        return { code: null, signal: null };
      });
      return Promise.race([ended, gone]);
    };
    return {
      pid: this.#machine?.pid ?? 0,
      ended: run().catch((error: unknown) => {
        onLine(`cannot be started: ${messageOf(error)}`);
        return { code: null, signal: null };
      }),
      kill: (signal) => {
        stopping.abort();
        if (guestPid !== undefined) this.#send(guestPid, signal);
      },
    };
  }

  /** Nobody's where the machine does not answer: its power button stops them then. */
  async instances(): Promise<RunningInstance[]> {
    if (!this.#machine?.running) return [];
    try {
      return parseInstances(await this.#machine.agent.output(LIST_INSTANCES, { timeoutMs: COMMAND_MS }));
    } catch (error) {
      this.#options.log.warn({ error: messageOf(error) }, 'the instances in the machine are not known');
      return [];
    }
  }

  powerOff({ pid }: RunningInstance): void {
    // LXC's default `lxc.signal.halt`.
    this.#send(pid, 'SIGPWR');
  }

  memory(): Memory {
    if (!this.#memory) throw new PlatformError('UNAVAILABLE', 'The memory of the machine could not be read just now.');
    return this.#memory;
  }

  async look(): Promise<void> {
    // Without a look it is not known: one that was short must not count twice.
    this.#memory = undefined;
    const { agent } = this.#running();
    // Exit 1 says that a file is not there.
    const { stdout } = await agent.exec(READ_FILES, { timeoutMs: COMMAND_MS });
    const { files, memory } = parseFiles(stdout);
    this.#memory = memory;
    for (const [name, text] of Object.entries(files)) {
      if (this.#copied.get(name) === text) continue;
      const file = join(this.#options.config.lxd.folder, name);
      await writeFile(`${file}.new`, text, { mode: 0o600 });
      await rename(`${file}.new`, file);
      this.#copied.set(name, text);
    }
  }

  async close(until: number): Promise<void> {
    const how = await this.#machine?.powerOff(until);
    if (how === 'killed') this.#options.log.error('the machine has not switched itself off in time, and was ended');
    const relay = this.#relay;
    if (relay) await new Promise((resolve) => relay.close(resolve));
  }

  #running(): RunningMachine {
    if (!this.#machine?.running) throw new PlatformError('UNAVAILABLE', 'The machine does not run.');
    return this.#machine;
  }

  #send(pid: number, signal: string): void {
    this.#machine?.agent
      .exec(['/bin/kill', '-s', signal.replace(/^SIG/, ''), String(pid)], { timeoutMs: COMMAND_MS })
      .catch((error: unknown) => this.#options.log.warn({ pid, signal, error: messageOf(error) }, 'a signal has not reached the machine'));
  }

  async #boot(signal: AbortSignal): Promise<void> {
    const { config, log } = this.#options;
    const { vm, lxd } = config;
    if (!this.#probed) {
      const begun = Date.now();
      await probeMachine({ ...howOf(config), qemu: vm.qemu, guest: vm.guest, seconds: vm.probeSeconds });
      log.info({ accelerator: vm.accelerator, ms: Date.now() - begun }, 'machines run here');
      this.#probed = true;
    }
    signal.throwIfAborted();
    const begun = Date.now();
    this.#machine = await bootMachine({ ...this.#options, word: this.#word }, signal);
    this.#relay ??= await startRelay({ socket: join(lxd.folder, 'unix.socket'), port: vm.relayPort, word: this.#word });
    log.info({ ms: Date.now() - begun }, 'the machine is ready');
  }
}
