import type { ErrorCode } from '#libs/contracts/error-codes.js';
import { type ErrorDetails, isPlatformError, PlatformError } from '#libs/errors/platform-error.js';

interface Reason {
  readonly when: RegExp;
  readonly code: ErrorCode;
  /** Stable name in `details.reason`. */
  readonly reason: string;
  /** What to do. */
  readonly advice?: string;
  /** Said in place of LXD's text, which then is in `details.lxd`: for texts that tell members nothing but paths of the host. */
  readonly says?: string;
  readonly retryAfterMs?: number;
}

/**
 * What LXD's texts mean, first match wins. LXD 5.0.2 gives failed operations and most of its 400s and 500s no other mark than the text
 * (tried, except where facts name the source).
 */
const REASONS: readonly Reason[] = [
  { when: /Unable to connect|Missing event connection/, code: 'UNAVAILABLE', reason: 'member-unreachable', retryAfterMs: 5_000 },
  { when: /no available dqlite leader/, code: 'UNAVAILABLE', reason: 'no-quorum', retryAfterMs: 5_000 },
  {
    when: /context deadline exceeded|Failed to begin transaction|database is locked/,
    code: 'UNAVAILABLE',
    reason: 'database',
    retryAfterMs: 2_000,
  },
  { when: /i\/o timeout|connection refused|connection reset/, code: 'UNAVAILABLE', reason: 'member-unreachable', retryAfterMs: 5_000 },
  { when: /not ready yet|LXD is shutting down/, code: 'UNAVAILABLE', reason: 'starting', retryAfterMs: 1_000 },
  { when: /busy running a|Instance is busy/, code: 'UNAVAILABLE', reason: 'busy', retryAfterMs: 500 },
  { when: /^sftp: .*directory not empty/, code: 'CONFLICT', reason: 'not-empty', advice: 'Delete what is in it first.' },
  // The one without a name: a running container whose log was cleared (LXD 5.0.2, tried).
  { when: /console\.log: no such file|^open : no such file/, code: 'NOT_FOUND', reason: 'no-log', advice: 'It has not been started yet.' },
  // Another process of LXD still writes there, e.g. the unpacking that a killed daemon left behind.
  { when: /directory not empty|device or resource busy/i, code: 'UNAVAILABLE', reason: 'files-in-use', retryAfterMs: 1_000 },
  { when: /Cluster member is evacuated/, code: 'UNAVAILABLE', reason: 'evacuated', advice: 'Restore the cluster member.' },
  {
    when: /Instance storage pool not found|Failed expanding symlinks/,
    code: 'OPERATION_FAILED',
    reason: 'half-made',
    advice: 'Its creation was cut off: delete it.',
  },
  {
    when: /forkstart/,
    code: 'OPERATION_FAILED',
    reason: 'start-failed',
    says: 'its init did not start',
    advice: '"lxc info <instance> --show-log" tells why: mend its init or its configuration, or make it anew from another image.',
  },
  // Said too early while another operation runs: a start during a stop is told "already running", a stop during a start "already stopped".
  { when: /already running/, code: 'CONFLICT', reason: 'already-running' },
  { when: /already stopped|not running|isn't running/, code: 'CONFLICT', reason: 'not-running' },
  { when: /Instance is running|is currently running/, code: 'CONFLICT', reason: 'still-running', advice: 'Stop it first.' },
  { when: /already frozen|is frozen/, code: 'CONFLICT', reason: 'frozen', advice: 'Unfreeze it first.' },
  { when: /already exists|already in trust store|already used on/, code: 'CONFLICT', reason: 'exists' },
  { when: /already defined on another NIC|address already in use/, code: 'CONFLICT', reason: 'address-in-use' },
  { when: /currently in use|still has the following/, code: 'CONFLICT', reason: 'in-use' },
  {
    when: /Unknown configuration key|Invalid config|Invalid devices?\b|Invalid instance name|Invalid filter|Requested profile/,
    code: 'INVALID_INPUT',
    reason: 'invalid',
  },
  { when: /Server is not clustered/, code: 'CONFLICT', reason: 'not-clustered' },
  { when: /Image not provided for instance creation/, code: 'NOT_FOUND', reason: 'not-found', advice: 'The image is not there.' },
  {
    when: /(Instance|Container|Image|Image alias|Profile|Storage pool|Operation|Certificate)( \S+)? not found/i,
    code: 'NOT_FOUND',
    reason: 'not-found',
  },
  { when: /Failed shutting down instance/, code: 'OPERATION_FAILED', reason: 'shutdown-timeout', advice: 'Stop it by force.' },
  { when: /Timed out waiting for websockets/, code: 'UNAVAILABLE', reason: 'not-attached' },
  { when: /Command not found/, code: 'INVALID_INPUT', reason: 'command-not-found' },
  { when: /Command not executable/, code: 'INVALID_INPUT', reason: 'command-not-executable' },
  { when: /No space left|disk quota exceeded/i, code: 'OPERATION_FAILED', reason: 'no-space', advice: "Free some of the pool's space." },
];

const BY_STATUS: Readonly<Record<number, { readonly code: ErrorCode; readonly reason: string; readonly advice?: string }>> = {
  400: { code: 'INVALID_INPUT', reason: 'invalid' },
  401: { code: 'DENIED_UPSTREAM', reason: 'denied', advice: 'Add our certificate to its trust store.' },
  403: { code: 'DENIED_UPSTREAM', reason: 'denied', advice: 'Add our certificate to its trust store, unrestricted or with this project.' },
  404: { code: 'NOT_FOUND', reason: 'not-found' },
  409: { code: 'CONFLICT', reason: 'exists' },
  412: { code: 'STALE', reason: 'etag' },
  413: { code: 'INVALID_INPUT', reason: 'too-large' },
  429: { code: 'RATE_LIMITED', reason: 'rate-limited' },
  501: { code: 'PROTOCOL', reason: 'not-implemented' },
};

/** Statuses that say it all; for the others the text comes first. */
const STATUS_DECIDES: ReadonlySet<number> = new Set([401, 404, 409, 412, 413, 429]);

/** The error behind an answer of LXD with type "error". `retryAfterMs` is what a Retry-After header said. */
export function httpError(what: string, answer: { status: number; text: string; retryAfterMs?: number | undefined }): PlatformError {
  // A missing object has a name ("Instance not found"); bare, it is an endpoint that this LXD does not have, and proves nothing absent.
  if (answer.status === 404 && answer.text === 'not found') return protocolError(what, 'this LXD has no such endpoint');
  const known = STATUS_DECIDES.has(answer.status) ? undefined : reasonFor(answer.text);
  const found: Omit<Reason, 'when'> = known ?? BY_STATUS[answer.status] ?? { code: 'UNAVAILABLE', reason: 'server-error' };
  return build(what, found, answer.text, { status: answer.status, retryAfterMs: answer.retryAfterMs });
}

/** The error behind a failed operation, by LXD's text. */
export function operationError(what: string, text: string, details: ErrorDetails = {}): PlatformError {
  return build(what, reasonFor(text) ?? { code: 'OPERATION_FAILED', reason: 'unknown' }, text, details);
}

function reasonFor(text: string): Reason | undefined {
  return REASONS.find(({ when }) => when.test(text));
}

function build(what: string, found: Omit<Reason, 'when'>, text: string, extra: Record<string, unknown>): PlatformError {
  const { retryAfterMs, ...rest } = extra;
  const wait = retryAfterMs ?? found.retryAfterMs;
  const advice = found.advice ? ` ${found.advice}` : '';
  return new PlatformError(found.code, `LXD could not ${what}: ${found.says ?? redact(text)}.${advice}`, {
    details: {
      reason: found.reason,
      ...(found.says ? { lxd: redact(text) } : {}),
      ...rest,
      ...(wait === undefined ? {} : { retryAfterMs: wait as number }),
    },
  });
}

/** Takes out what opens a websocket or a trust store, and cuts long texts. */
export function redact(text: string): string {
  const clean = text.replace(/\b(secret|password|token)(["']?\s*[=:]\s*["']?)[^\s"'&,}]+/gi, '$1$2[redacted]');
  return (clean.length > 500 ? `${clean.slice(0, 500)}…` : clean).replace(/[.\s]+$/, '');
}

const DROPPED: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** True when the connection ended without an answer, as a keep-alive connection does that LXD has closed. */
export function isDroppedSocket(error: unknown): boolean {
  return DROPPED.has(codeOf(error));
}

export function timeoutError(what: string, timeoutMs: number): PlatformError {
  return new PlatformError('UNAVAILABLE', `LXD gave no answer within ${timeoutMs} ms to: ${what}.`, { details: { reason: 'timeout' } });
}

/** The error of a request that got no answer. */
export function transportError(what: string, error: unknown): PlatformError {
  if (isPlatformError(error)) return error;
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return make('DENIED_UPSTREAM', `The LXD socket may not be opened (${code}) to ${what}: run as a member of its group.`, 'denied', error);
  }
  if (/ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|CERTIFICATE_UNKNOWN)/.test(code)) {
    return make('DENIED_UPSTREAM', `LXD refused our client certificate (${code}) to ${what}: add it to its trust store.`, 'denied', error);
  }
  if (/^(HPE_|UND_ERR_(HEADERS_OVERFLOW|RESPONSE))/.test(code)) return protocolError(what, `no HTTP answer (${code})`, error);
  return make('UNAVAILABLE', `LXD is not reachable (${code}) to ${what}.`, 'unreachable', error);
}

/** PROTOCOL: the answer does not have the form that LXD's has. */
export function protocolError(what: string, why: string, cause?: unknown): PlatformError {
  return make('PROTOCOL', `The answer to "${what}" is not LXD's: ${why}.`, 'not-lxd', cause);
}

function make(code: ErrorCode, message: string, reason: string, cause: unknown): PlatformError {
  return new PlatformError(code, message, { details: { reason }, ...(cause === undefined ? {} : { cause }) });
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined ? (error instanceof Error ? error.name : 'unknown') : codeOf(cause);
}
