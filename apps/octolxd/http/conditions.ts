import type { IncomingHttpHeaders } from 'node:http';

/** Of what a request may be conditional. */
export interface Validators {
  /** Strong entity tags of every form of the same content. */
  readonly etags: readonly string[];
  readonly modifiedMs?: number;
}

/** Whether the client has it already (RFC 9110, 13.1.2 and 13.1.3): a tag decides where there is one. */
export function isUnchanged(headers: IncomingHttpHeaders, { etags, modifiedMs }: Validators): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) return tags.trim() === '*' || tagsIn(tags).some((tag) => etags.includes(tag));
  const since = headers['if-modified-since'];
  if (since === undefined || modifiedMs === undefined) return false;
  const sinceMs = Date.parse(since);
  return !Number.isNaN(sinceMs) && modifiedMs <= sinceMs;
}

function tagsIn(text: string): string[] {
  return [...text.matchAll(/(?:W\/)?("[^"]*")/g)].map(([, tag]) => tag as string);
}

export interface ByteRange {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
}

/**
 * The one range that is asked for, `unsatisfiable`, or undefined for the whole: without a range, with several, in a form nobody knows, or when
 * `If-Range` names another content.
 */
export function rangeOf(headers: IncomingHttpHeaders, size: number, etag: string): ByteRange | 'unsatisfiable' | undefined {
  const { range, 'if-range': ifRange } = headers;
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range.trim()) ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') return Number(to) === 0 || size === 0 ? 'unsatisfiable' : { first: Math.max(0, size - Number(to)), last: size - 1 };
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last };
}

/** Whether the client takes gzip (RFC 9110, 12.5.3). */
export function takesGzip(accepted: string | undefined): boolean {
  if (accepted === undefined) return false;
  if (accepted === 'gzip' || accepted.startsWith('gzip,')) return true;
  const weights = new Map<string, number>();
  for (const part of accepted.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(name, quality === undefined ? 1 : Number(quality.slice(2)));
  }
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}
