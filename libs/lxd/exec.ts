import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from './answer.js';
import { type AttachParts, attach } from './attach.js';
import type { CallOptions } from './client.js';
import type { ExecRequest, ExecResult, ExecSession, LxdExec, TerminalSize } from './client-parts.js';
import type { Change } from './connection.js';
import { timeoutError } from './error-reasons.js';
import { Session } from './exec-session.js';
import { collect } from './frame-streams.js';
import { type Logs, lastSegment } from './logs.js';
import { apiPath } from './paths.js';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

const recorded = z.looseObject({ return: z.number().int(), output: z.record(z.string(), z.string()).nullish() });

type OpenRequest = ExecRequest & { readonly terminal?: TerminalSize };
type RunRequest = ExecRequest & { readonly input?: string | Buffer; readonly maxOutputBytes?: number };

export class Exec implements LxdExec {
  readonly #parts: AttachParts;
  readonly #logs: Logs;

  constructor(parts: AttachParts, logs: Logs) {
    this.#parts = parts;
    this.#logs = logs;
  }

  async open(instance: string, request: OpenRequest, options: CallOptions = {}): Promise<ExecSession> {
    const change = execChange(instance, request, 'websockets');
    const kind = request.terminal === undefined ? 'pipes' : 'terminal';
    const attached = await attach(this.#parts, { ...change, kind }, options);
    const session = new Session(attached, { interactive: request.terminal !== undefined, what: change.what });
    session.killWhenAborted(options.signal);
    return session;
  }

  async run(instance: string, request: RunRequest, options: CallOptions = {}): Promise<ExecResult> {
    const { input, maxOutputBytes = MAX_OUTPUT_BYTES, ...command } = request;
    const { signal, timeoutMs } = options;
    const session = await this.open(instance, command, options);
    let expired = false;
    const expire = (): void => {
      expired = true;
      session.kill();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
    try {
      session.stdin.end(input);
      const output = await outputOf(session, maxOutputBytes, instance);
      if (!expired && !signal?.aborted) return output;
      throw timeoutError(`run ${command.command[0]} in instance ${instance}`, timeoutMs ?? 0);
    } catch (error) {
      session.kill();
      throw signal?.aborted ? signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async record(instance: string, request: ExecRequest, options: CallOptions = {}): Promise<ExecResult> {
    const change = execChange(instance, request, 'recorded');
    const { id } = await this.#parts.connection.start(change, options);
    const metadata = await this.#parts.operations.adopt(id, change.what).wait(options);
    const { return: exitCode, output } = parseMetadata(metadata, recorded, change.what);
    const take = async (url: string | undefined): Promise<Buffer> => {
      if (url === undefined) return Buffer.alloc(0);
      const content = await this.#logs.get(instance, lastSegment(url), options);
      await this.#logs.delete(instance, lastSegment(url), options);
      return content;
    };
    return { exitCode, stdout: await take(output?.['1']), stderr: await take(output?.['2']) };
  }
}

async function outputOf(session: ExecSession, maxBytes: number, instance: string): Promise<ExecResult> {
  const tooLong = () => new PlatformError('OPERATION_FAILED', `A command in instance ${instance} wrote more than ${maxBytes} bytes.`);
  const [exitCode, stdout, stderr] = await Promise.all([
    session.exitCode,
    collect(session.stdout, maxBytes, tooLong),
    collect(session.stderr, maxBytes, tooLong),
  ]);
  return { exitCode, stdout, stderr };
}

/** Says only the first word of the command: the rest may hold anything. */
function execChange(instance: string, request: OpenRequest, mode: 'websockets' | 'recorded'): Change {
  const { command, environment = {}, cwd, user, group, terminal } = request;
  const body = {
    command,
    environment,
    ...(cwd === undefined ? {} : { cwd }),
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...terminal,
    interactive: terminal !== undefined,
    'wait-for-websocket': mode === 'websockets',
    'record-output': mode === 'recorded',
  };
  return { method: 'POST', path: apiPath(['instances', instance, 'exec']), body, what: `run ${command[0]} in instance ${instance}` };
}
