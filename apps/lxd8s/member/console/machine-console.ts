import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ReadStream, WriteStream } from 'node:tty';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Sockets } from '../runtime/vm/command-line.js';
import { GuestAgent } from '../runtime/vm/guest-agent.js';
import { untilMark } from './end-mark.js';
import { setPassword } from './password.js';

export interface MachineConsoleOptions {
  readonly sockets: Pick<Sockets, 'agent' | 'console'>;
  readonly hash: string;
  /** Name of the terminal, TERM. */
  readonly terminal: string | undefined;
  readonly input: ReadStream;
  readonly output: WriteStream;
  /** How long the login may be silent after it was started. */
  readonly speaksWithinMs?: number;
}

const COMMAND_MS = 20_000;
/** Until `login:` half a dozen programs are started, each slow without KVM on a busy processor. */
const SPEAKS_MS = 60_000;
/** Of `deploy/vm/guest/console`. */
const LOCK = '/run/lxd8s/console.lock';
/** Exit code of both while somebody else is at it. */
const TAKEN = 75;
/** Ctrl-], as of telnet: leaves without logging out first. */
const LEAVE = 0x1d;

/**
 * A login in the machine, at a port of its own, until it ends, or whoever is at it leaves: their session is hung up then.
 * @throws PlatformError CONFLICT while somebody else is at it, UNAVAILABLE when the machine does not answer, or its login says nothing,
 * OPERATION_FAILED with what the machine says of why it has none.
 */
export async function machineConsole(options: MachineConsoleOptions): Promise<number> {
  const { sockets, hash, terminal, input, output, speaksWithinMs = SPEAKS_MS } = options;
  const agent = new GuestAgent(sockets.agent);
  await ofOne(agent, ['/usr/bin/flock', '--nonblock', '--conflict-exit-code', String(TAKEN), LOCK, '/bin/true']);
  const password = setPassword(hash);
  await agent.output(password.command, { timeoutMs: COMMAND_MS, input: password.input });
  const socket = await connected(sockets.console);
  try {
    const word = randomBytes(12).toString('hex');
    const { rows = 24, columns = 80 } = output;
    const ended = carried({ socket, mark: `\0${word}`, input, output });
    // Takes the lock itself: between the first look and this somebody else may have come.
    await ofOne(agent, ['/usr/lib/lxd8s/console', word, String(rows), String(columns), terminalOf(terminal)]);
    if (input.isTTY) output.write('The console of this machine; Ctrl-] leaves it.\r\n');
    return await Promise.race([ended, silence(socket, speaksWithinMs)]);
  } finally {
    socket.destroy();
  }
}

/** Runs a command that exits with 0 only for the one who is, or may be, at the console. */
async function ofOne(agent: GuestAgent, command: readonly string[]): Promise<void> {
  const { code, stderr } = await agent.exec(command, { timeoutMs: COMMAND_MS });
  if (code === TAKEN) throw new PlatformError('CONFLICT', 'Somebody else is at the console of this machine.');
  if (code !== 0) throw new PlatformError('OPERATION_FAILED', `${command[0]} in the machine: exit ${code}: ${stderr.trim()}`);
}

/** Rejects when nothing has come by then. */
function silence(socket: Socket, withinMs: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    const timer = setTimeout(() => {
      if (socket.bytesRead > 0) return;
      reject(new PlatformError('UNAVAILABLE', `The login in the machine has said nothing within ${withinMs / 1000} s. Try again.`));
    }, withinMs);
    socket.once('close', () => clearTimeout(timer));
  });
}

interface Carried {
  readonly socket: Socket;
  readonly mark: string;
  readonly input: ReadStream;
  readonly output: WriteStream;
}

/** 0 when the login ended, or was left; 1 when the machine did. */
function carried({ socket, mark, input, output }: Carried): Promise<number> {
  const tty = input.isTTY;
  if (tty) input.setRawMode(true);
  const over = new Promise<number>((resolve) => {
    socket.on(
      'data',
      untilMark(
        mark,
        (bytes) => output.write(bytes),
        () => resolve(0),
      ),
    );
    // Told by its end.
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(1));
    input.on('data', (bytes: Buffer) => (tty && bytes.includes(LEAVE) ? resolve(0) : socket.write(bytes)));
    input.once('end', () => resolve(0));
  });
  return over.finally(() => {
    if (tty) input.setRawMode(false);
  });
}

/** Of the names of terminals only what the machine may know. */
function terminalOf(name: string | undefined): string {
  return name !== undefined && /^[\w.+-]{1,32}$/.test(name) ? name : 'linux';
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause) =>
      reject(new PlatformError('UNAVAILABLE', `The console of the machine cannot be reached: ${cause.message}.`, { cause })),
    );
  });
}
