import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Bytes } from './content.js';
import { renderError } from './render.js';

export interface Question {
  readonly method: string;
  readonly path: string;
  /** Of the path, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** What was sent with it, to be read once. */
  readonly body?: Readable;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Instead of `body`: a part of these, both ends inclusive. */
  readonly bytes?: { readonly of: Bytes; readonly from: number; readonly to: number };
}

export const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { ...JSON_TYPE, 'x-github-media-type': 'github.v3; format=json', ...headers }, body: JSON.stringify(value) };
}

export function refusal(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return json(status, renderError(status, message), headers);
}
