import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { ERROR_TABLE } from '#libs/contracts/error-codes.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { StillRunning } from '../operations/still-running.js';

/** RFC 9457, with the original's `message` beside. */
export const problemSchema = z
  .object({
    message: z.string().describe("The original API's text, or the same as `detail`"),
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable, for programs'),
    detail: z.string().describe('What is wrong and what to do'),
    field: z.string().optional().describe('The input field at fault'),
    operation: z.string().optional().describe('The operation this is about; see /v2/operations/{id}'),
    requestId: z.string().optional(),
  })
  .meta({ id: 'Problem' });

export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: z.infer<typeof problemSchema>;
  /** Nobody foresaw it: to be logged in full. */
  readonly unexpected: boolean;
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
const DEFAULT_RETRY_SECONDS = 3;

/** Anything thrown while a request was served, as the answer to it. What is not known is a 500 that tells nothing. */
export function problemOf(error: unknown): Problem {
  if (error instanceof PlatformError) return fromPlatformError(error);
  if (error instanceof HttpException) return plain(error.getStatus(), error.message);
  const { statusCode, code } = error as { readonly statusCode?: unknown; readonly code?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return plain(413, 'The request body is too large.');
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return plain(414, 'A part of the path is too long.');
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) return plain(statusCode, (error as Error).message);
  return { ...plain(500, 'internal error'), unexpected: true };
}

function fromPlatformError(error: PlatformError): Problem {
  const { httpStatus, title } = ERROR_TABLE[error.code];
  const status = error instanceof StillRunning ? 504 : httpStatus;
  const { field, operation, legacyMessage, retryAfterMs } = error.details;
  const headers: Record<string, string> = {};
  if (status === 503)
    headers['retry-after'] = String(retryAfterMs === undefined ? DEFAULT_RETRY_SECONDS : Math.max(1, Math.ceil(retryAfterMs / 1000)));
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  return {
    status,
    headers,
    unexpected: false,
    body: {
      message: typeof legacyMessage === 'string' ? legacyMessage : error.message,
      type: typeOf(error.code),
      title: status === 504 ? 'Not ended yet' : title,
      status,
      code: status === 504 ? 'TIMEOUT' : error.code,
      detail: error.message,
      ...(typeof field === 'string' ? { field } : {}),
      ...(typeof operation === 'string' ? { operation } : {}),
    },
  };
}

/** Sends a problem as application/problem+json. */
export function sendProblem(reply: FastifyReply, requestId: string, { status, headers, body }: Problem): FastifyReply {
  return reply
    .code(status)
    .headers({ ...headers, 'content-type': PROBLEM_TYPE })
    .send(JSON.stringify({ ...body, requestId }));
}

const PLAIN_CODES: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: 'TOO_LARGE',
  414: 'TOO_LARGE',
  429: 'RATE_LIMITED',
  431: 'TOO_LARGE',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
};

export function plain(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Problem {
  const code = PLAIN_CODES[status] ?? (status >= 500 ? 'INTERNAL' : 'INVALID_INPUT');
  return {
    status,
    headers,
    unexpected: status >= 500 && status !== 503,
    body: { message, type: typeOf(code), title: STATUS_CODES[status] ?? message, status, code, detail: message },
  };
}

function typeOf(code: string): string {
  return `urn:webspaces:problem:${code.toLowerCase().replaceAll('_', '-')}`;
}
