import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const SECRET_KEYS = ['authorization', 'password', 'token', 'secret', 'cookie', 'set-cookie', 'sealed', 'apiKey', 'privateKey'];
const DEPTHS = ['', '*.', '*.*.', '*.*.*.'];
const CENSOR = '[redacted]';

/** Secrets that reached a text all the same: JWTs, and what follows `Bearer`. */
const SECRET_TEXT = /\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*|\b(Bearer\s+)[\w.~+/=-]{8,}/g;

export interface LoggerOptions {
  /** Name of the process. */
  readonly name: string;
  readonly level: string;
  /** Standard output when absent. */
  readonly destination?: DestinationStream;
}

/** The one way to make a logger: JSON lines with ISO times, secrets left out by key (four levels deep) and by form (anywhere). */
export function createLogger({ name, level, destination }: LoggerOptions): Logger {
  const options = {
    name,
    level,
    base: { pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_KEYS.flatMap((key) => DEPTHS.map((depth) => pathOf(depth, key))), censor: CENSOR },
    hooks: { streamWrite: scrub },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** A text without what looks like a token. */
export function scrub(text: string): string {
  return text.replace(SECRET_TEXT, (_all, bearer: string | undefined) => `${bearer ?? ''}${CENSOR}`);
}

function pathOf(depth: string, key: string): string {
  return /^\w+$/.test(key) ? `${depth}${key}` : `${depth.replace(/\.$/, '')}["${key}"]`;
}
