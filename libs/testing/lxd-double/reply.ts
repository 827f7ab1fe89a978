import type { IncomingHttpHeaders } from 'node:http';

export interface DoubleRequest {
  readonly method: string;
  /** Path after `/1.0`, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Thrown by a route: LXD's error envelope. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };

export function sync(metadata: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const body = { type: 'sync', status: 'Success', status_code: 200, operation: '', error_code: 0, error: '', metadata };
  return { status: 200, headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) };
}

export function refuse(status: number, error: string): Reply {
  const body = { type: 'error', status: '', status_code: 0, operation: '', error_code: status, error, metadata: null };
  return { status, headers: JSON_TYPE, body: JSON.stringify(body) };
}

export function bytes(body: Buffer, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 200, headers: { 'content-type': 'application/octet-stream', ...headers }, body };
}

/** `operation` with `?project=` is what a cluster sends when it forwards the request (LXD 5.0.2, tried). */
export function started(operation: { readonly id: string }, project: boolean): Reply {
  const url = `/1.0/operations/${operation.id}${project ? '?project=default' : ''}`;
  const body = {
    type: 'async',
    status: 'Operation created',
    status_code: 100,
    operation: url,
    error_code: 0,
    error: '',
    metadata: operation,
  };
  return { status: 202, headers: { ...JSON_TYPE, location: url }, body: JSON.stringify(body) };
}

export function jsonBody(request: DoubleRequest): Record<string, unknown> {
  try {
    return JSON.parse(request.body.toString('utf8')) as Record<string, unknown>;
  } catch {
    // As LXD says it.
    throw new Refusal(400, 'unexpected EOF');
  }
}
