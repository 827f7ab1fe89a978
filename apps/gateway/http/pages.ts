import type { IncomingMessage, ServerResponse } from 'node:http';
import { isPlatformError } from '#libs/errors/platform-error.js';

/** What a visitor is told instead of the site. */
export interface Notice {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  readonly retryAfterSeconds?: number;
  /** Shown to be told to whoever can look it up. */
  readonly operation?: string;
}

export const NOBODYS: Notice = {
  status: 404,
  title: 'There is no site here',
  text: 'No webspace has this name. It may have been renamed or removed.',
};

export const NOT_READY: Notice = {
  status: 503,
  title: 'One moment',
  text: 'This server has just started and does not know all sites yet.',
  retryAfterSeconds: 1,
};

export const SUSPENDED: Notice = {
  status: 403,
  title: 'This site is suspended',
  text: 'It is off until it is resumed. If it is yours, the status of your webspace says why.',
};

const CROWDED = {
  status: 503,
  title: 'This site is starting',
  text: 'Many people wait for it already.',
} as const;

const SLOW = {
  status: 503,
  title: 'This site takes long to start',
  text: 'It was off, and is being started for you.',
} as const;

const SILENT = {
  status: 503,
  title: 'This site does not answer',
  text: 'Its webspace runs, but no web server in it answers on its port. If it is yours, start your web server, or set httpPort to the port that it uses.',
} as const;

const FAILED = {
  status: 503,
  title: 'This site could not be started',
  text: 'It was off, and starting it for you failed.',
} as const;

/** What an error means for a visitor; nothing of its message is shown, which is for those who run the platform. */
export function noticeOf(error: unknown): Notice {
  const { code = 'unknown', details = {} } = isPlatformError(error) ? error : {};
  const operation = typeof details['operation'] === 'string' ? { operation: details['operation'] } : {};
  const retryAfterSeconds = Math.max(1, Math.ceil((details.retryAfterMs ?? 2_000) / 1000));
  if (details['reason'] === 'suspended') return SUSPENDED;
  if (code === 'NOT_FOUND') return NOBODYS;
  if (code === 'RATE_LIMITED') return { ...CROWDED, retryAfterSeconds };
  if (details['reason'] === 'not-listening') return { ...SILENT, retryAfterSeconds };
  if (details['reason'] === 'takes-long') return { ...SLOW, ...operation, retryAfterSeconds };
  return { ...FAILED, ...operation, retryAfterSeconds };
}

/** Answers with a notice: a page for browsers, which loads itself again where that makes sense, else a line of text. */
export function tell(request: IncomingMessage, response: ServerResponse, notice: Notice): void {
  if (response.headersSent) return void response.destroy();
  const html = /\btext\/html\b/.test(request.headers.accept ?? '');
  const body = html ? pageOf(notice) : lineOf(notice);
  // A body that nobody reads must not keep the connection.
  if (!request.complete) response.shouldKeepAlive = false;
  response.statusCode = notice.status;
  response.setHeader('content-type', html ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.setHeader('cache-control', 'no-store');
  if (notice.retryAfterSeconds !== undefined) response.setHeader('retry-after', notice.retryAfterSeconds);
  response.end(request.method === 'HEAD' ? undefined : body);
}

function lineOf({ title, text, operation, retryAfterSeconds }: Notice): string {
  const again = retryAfterSeconds === undefined ? '' : ` Try again in ${duration(retryAfterSeconds)}.`;
  return `${title}. ${text}${again}${operation === undefined ? '' : ` Operation: ${operation}`}\n`;
}

function duration(seconds: number): string {
  return seconds === 1 ? 'a second' : `${seconds} seconds`;
}

function pageOf({ title, text, operation, retryAfterSeconds }: Notice): string {
  const refresh = retryAfterSeconds === undefined ? '' : `<meta http-equiv="refresh" content="${retryAfterSeconds}">`;
  const again = retryAfterSeconds === undefined ? '' : `<p>This page tries again by itself in ${duration(retryAfterSeconds)}.</p>`;
  const shown =
    operation === undefined
      ? ''
      : `<p class="small">If it goes on, tell the people who run this platform what failed:<br><code>${escaped(operation)}</code></p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${refresh}
<title>${escaped(title)}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; font-weight: 600; }
.small { font-size: 0.9rem; }
code { overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
<p>${escaped(text)}</p>
${again}
${shown}
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
