import { Attached } from './attached.js';
import { runCommand } from './commands.js';
import type { DoubleInstance } from './model.js';
import { OperationFailure } from './operations.js';
import { type DoubleRequest, jsonBody, Refusal, type Reply, started } from './reply.js';
import type { CannedResult, World } from './world.js';

/** Attached sockets by operation id. */
export type AttachedById = Map<string, Attached>;

interface ExecBody {
  readonly command: readonly string[];
  readonly interactive?: boolean;
  readonly width?: number;
  readonly height?: number;
  readonly 'wait-for-websocket'?: boolean;
  readonly 'record-output'?: boolean;
}

export function exec(world: World, attachments: AttachedById, request: DoubleRequest): Reply {
  const instance = runningInstance(world, request);
  const body = jsonBody(request) as unknown as ExecBody;
  world.hub.lifecycle('instance-exec', instance.name, { context: { command: body.command } });
  if (!body['wait-for-websocket']) return recorded(world, instance, body);
  const attached = new Attached(body.interactive ? ['0', 'control'] : ['0', '1', '2', 'control']);
  const work = async () => {
    await attached.ready();
    const { exitCode, stdout = '', stderr = '' } = await run(world, instance, attached, body);
    attached.send(body.interactive ? '0' : '1', stdout);
    if (!body.interactive) attached.send('2', stderr);
    for (const fd of body.interactive ? ['0'] : ['1', '2']) attached.eof(fd);
    // In a terminal the operation runs on until the client closes the data socket (LXD 5.0.2, tried).
    if (body.interactive) await new Promise((resolve) => attached.socket('0')?.once('close', resolve));
    await attached.end();
    if (exitCode === 127) throw new OperationFailure('Command not found', { return: 127 });
    return { return: exitCode };
  };
  return startAttached(world, attachments, { instance: instance.name, description: 'Executing command', attached, work });
}

export function attachConsole(world: World, attachments: AttachedById, request: DoubleRequest): Reply {
  const instance = runningInstance(world, request);
  const attached = new Attached(['0', 'control']);
  const work = async () => {
    await attached.ready();
    const data = attached.socket('0');
    data?.on('message', (bytes: Buffer) => {
      instance.consoleLog = Buffer.concat([instance.consoleLog ?? Buffer.alloc(0), bytes]);
      attached.send('0', bytes.toString());
    });
    await new Promise<void>((resolve) => {
      for (const fd of ['0', 'control']) attached.socket(fd)?.once('close', () => resolve());
    });
    await attached.end();
    throw new Error('write /dev/pts/ptmx: file already closed');
  };
  return startAttached(world, attachments, { instance: instance.name, description: 'Showing console', attached, work });
}

interface AttachSpec {
  readonly instance: string;
  readonly description: string;
  readonly attached: Attached;
  readonly work: () => Promise<Readonly<Record<string, unknown>> | undefined>;
}

function startAttached(world: World, attachments: AttachedById, { instance, description, attached, work }: AttachSpec): Reply {
  const metadata = { fds: attached.secrets };
  const operation = world.operations.start({ class: 'websocket', description, instance, metadata, work });
  attachments.set(operation.id, attached);
  return started(operation, world.faults.operationProject);
}

function runningInstance(world: World, request: DoubleRequest): DoubleInstance {
  const instance = world.instance(request.parts[1] ?? '');
  if (instance.status === 'Stopped') throw new Refusal(400, 'Instance is not running');
  if (instance.status === 'Frozen') throw new Refusal(400, 'Instance is frozen');
  return instance;
}

function recorded(world: World, instance: DoubleInstance, { command }: ExecBody): Reply {
  const work = async () => {
    const result = world.options.exec?.(command, '', instance) ?? runCommand(command, '');
    if (!result) throw new OperationFailure('Command not found', { return: 127 });
    const id = `exec_${Math.random().toString(36).slice(2)}`;
    const output: Record<string, string> = {};
    for (const [fd, name, text] of [
      ['1', 'stdout', result.stdout],
      ['2', 'stderr', result.stderr],
    ] as const) {
      instance.logs.set(`${id}.${name}`, Buffer.from(text ?? ''));
      output[fd] = `/1.0/instances/${instance.name}/logs/${id}.${name}`;
    }
    return { return: result.exitCode, output };
  };
  return started(
    world.operations.start({ description: 'Executing command', instance: instance.name, work }),
    world.faults.operationProject,
  );
}

/** Reads stdin to its end (in a terminal: to a line with `exit`), runs the command, or is killed by a signal before. */
function run(world: World, instance: DoubleInstance, attached: Attached, body: ExecBody): Promise<CannedResult> {
  return new Promise((resolve) => {
    let stdin = '';
    let size = `${body.height ?? 24} ${body.width ?? 80}`;
    const finish = (): void => {
      const result = world.options.exec?.(body.command, stdin, instance) ?? runCommand(body.command, stdin);
      resolve(result ?? { exitCode: 127 });
    };
    attached.socket('control')?.on('message', (data: Buffer) => {
      const { command, signal, args } = JSON.parse(data.toString()) as { command: string; signal?: number; args?: Record<string, string> };
      if (command === 'signal') resolve({ exitCode: 128 + (signal ?? 0) });
      else if (command === 'window-resize') size = `${args?.['height']} ${args?.['width']}`;
    });
    attached.socket('control')?.once('close', () => resolve({ exitCode: 137 }));
    attached.socket('0')?.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return body.command[0] === 'sleep' ? undefined : finish();
      stdin += data.toString();
      if (!body.interactive) return undefined;
      attached.send('0', data.toString());
      if (stdin.includes('stty size')) attached.send('0', `${size}\r\n`);
      const exit = /exit (\d+)\n/.exec(stdin);
      if (exit) resolve({ exitCode: Number(exit[1]) });
      return undefined;
    });
    // Not everything waits for its stdin.
    if (!body.interactive && !['cat', 'sh', 'sleep'].includes(body.command[0] ?? '') && !world.options.exec) finish();
    if (body.command[0] === 'sh' && body.command[1] === '-c' && !body.command[2]?.includes('cat')) finish();
  });
}
