import { type ErrorDetails, messageOf, PlatformError } from '#libs/errors/platform-error.js';

interface Status {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string }[] };
}

/** The error of an answer of the API server; its status and `reason` decide, never the text. */
export function errorOfAnswer(
  status: number,
  text: string,
  context: { readonly about: string; readonly retryAfter: string | string[] | undefined },
): PlatformError {
  const { reason, message, details: because } = parse(text);
  const sentence = message ?? `HTTP ${status}`;
  const details: ErrorDetails = { status, ...(reason === undefined ? {} : { reason }) };
  const said = `Kubernetes, ${context.about}: ${sentence}`;
  if (status === 404) return new PlatformError('NOT_FOUND', said, { details });
  if (status === 409) return new PlatformError(reason === 'AlreadyExists' ? 'CONFLICT' : 'STALE', said, { details });
  // An apply that names the uid of a former object of that name: to the server an attempt to change it.
  if (status === 422 && because?.causes?.some(({ field }) => field === 'metadata.uid'))
    return new PlatformError('STALE', said, { details });
  if (status === 401 || status === 403) {
    return new PlatformError('DENIED_UPSTREAM', `${said}. Check the Role of this process (deploy/chart/files/rbac).`, { details });
  }
  if (status === 429) {
    const seconds = Number(Array.isArray(context.retryAfter) ? context.retryAfter[0] : context.retryAfter);
    return new PlatformError('RATE_LIMITED', said, {
      details: { ...details, retryAfterMs: (Number.isFinite(seconds) ? seconds : 1) * 1000 },
    });
  }
  if (status >= 500) return new PlatformError('UNAVAILABLE', said, { details });
  return new PlatformError('INVALID_INPUT', said, { details });
}

/** The error of a request that got no answer. The caller's own abort is passed on as it is. */
export function errorOfTransport(
  cause: unknown,
  context: { readonly about: string; readonly caller: AbortSignal | undefined; readonly timeout?: AbortSignal },
): unknown {
  if (context.caller?.aborted) return context.caller.reason;
  const why = context.timeout?.aborted ? 'no answer in time' : messageOf(cause);
  return new PlatformError('UNAVAILABLE', `Kubernetes, ${context.about}: ${why}. Is the API server running?`, { cause });
}

function parse(text: string): Status {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Status) : {};
  } catch {
    // Proxies and an API server that is starting answer in plain text.
    return { message: text.slice(0, 200) };
  }
}
