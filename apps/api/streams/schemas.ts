import { z } from 'zod';
import { StreamEnd } from './client-socket.js';

/** A terminal's width and height; 0 leaves it as it is. */
const cells = z.int({ error: 'must be a whole number from 0 to 65535' }).min(0).max(65_535);
const id = z
  .int({ error: 'must be a whole number from 0' })
  .min(0)
  .max(2 ** 32 - 2);
const argument = z.string({ error: 'must be a text' }).refine((text) => !text.includes('\0'), 'must not hold a NUL character');
const command = z
  .array(argument, { error: 'must be a list of texts: the command and its arguments' })
  .min(1, 'must name a command')
  .max(4096, 'may have 4096 words')
  .refine(([name]) => name !== '', 'must name a command');
const environment = z.record(z.string().regex(/^[^=\0]+$/, 'must be a name without "="'), argument, {
  error: 'must be an object of texts',
});

/** A message of the console: its size, first and whenever it changes. */
export const terminalSize = z.looseObject({ width: cells, height: cells });

/** The first message of exec. */
export const execStart = z.looseObject({
  command,
  user: id.default(0),
  group: id.default(0),
  environment: environment.nullish(),
  width: cells.default(0),
  height: cells.default(0),
  workingDirectory: argument.default(''),
});
export type ExecStart = z.output<typeof execStart>;

/** Any further text message of exec. */
export const execControl = z.looseObject({
  resize: terminalSize.nullish(),
  signal: z.int({ error: 'must be the number of a signal, 1 to 64' }).min(0).max(64).nullish(),
});

export const shellCommandBody = z
  .strictObject({ command: argument.min(1, 'must not be empty').describe('Run by `sh -c`') })
  .meta({ id: 'ExecRequest' });
export type ShellCommandBody = z.output<typeof shellCommandBody>;

const exitCode = z.int().describe('128 + n when a signal n ended it');
export const shellResultSchema = z.object({ stdout: z.string(), stderr: z.string(), exitCode }).meta({ id: 'ExecResponse' });
export type ShellResult = z.output<typeof shellResultSchema>;

/** Longest `timeoutSeconds`; docs/limits.md. */
export const MAX_COMMAND_SECONDS = 3600;

export const commandBody = z
  .strictObject({
    command: command.describe('The command and its arguments; no shell reads them'),
    stdin: z.string({ error: 'must be a text' }).optional().describe('In the form that `encoding` names'),
    user: id.default(0).describe('User id'),
    group: id.default(0).describe('Group id'),
    environment: environment.optional(),
    directory: argument.min(1, 'must not be empty').optional().describe('Working directory'),
    timeoutSeconds: z
      .number({ error: 'must be a number of seconds' })
      .min(0.1)
      .max(MAX_COMMAND_SECONDS)
      .default(60)
      .describe('Then it is killed, with all that it has started'),
    encoding: z.enum(['utf8', 'base64']).default('utf8').describe('Of stdin, stdout and stderr'),
  })
  .refine(({ stdin = '', encoding }) => encoding === 'utf8' || z.base64().safeParse(stdin).success, {
    path: ['stdin'],
    message: 'must be base64, as `encoding` says',
  })
  .meta({ id: 'Command' });
export type CommandBody = z.output<typeof commandBody>;

export const commandResultSchema = z
  .object({
    exitCode,
    stdout: z.string(),
    stderr: z.string(),
    timedOut: z.boolean().describe('It was killed after `timeoutSeconds`; the output is what it had written'),
  })
  .meta({ id: 'CommandResult' });
export type CommandResult = z.output<typeof commandResultSchema>;

export const STREAMS = ['console', 'exec'] as const;
export type StreamKind = (typeof STREAMS)[number];

export const ticketBody = z
  .strictObject({ stream: z.enum(STREAMS, { error: 'must be "console" or "exec"' }) })
  .meta({ id: 'TicketRequest' });
export type TicketBody = z.output<typeof ticketBody>;

export const ticketSchema = z
  .object({
    ticket: z.string().describe('Opens one WebSocket, once, in place of a token: `?ticket=…`'),
    url: z.string().describe('The WebSocket, ticket included'),
    expiresAt: z.string(),
  })
  .meta({ id: 'Ticket' });
export type Ticket = z.output<typeof ticketSchema>;

/** A text message of a stream. @throws StreamEnd that names the field and what it must be. */
export function parseMessage<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new StreamEnd(1011, 'the message is not valid JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message));
  throw new StreamEnd(1011, `the message is not valid: ${issues.join('; ')}`);
}
