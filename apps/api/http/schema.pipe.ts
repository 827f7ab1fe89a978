import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

/**
 * Parses bodies as JSON, whatever their content type says (as the original does), and checks bodies, queries and path parameters against the schema
 * of their decorator. Runs after the guard, so that nothing about the body is said to a stranger.
 */
@Injectable()
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { type, schema }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    // An empty body is one that may be left out, where the schema says so.
    const omitted = type === 'body' && isBlank(value) && schema.safeParse(undefined).success;
    const input = type === 'body' ? (omitted ? undefined : parseBody(value)) : value;
    const result = schema.safeParse(input, { reportInput: true });
    if (result.success) return result.data;
    const issues = result.error.issues.map(describe);
    const text = issues.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('; ');
    throw invalid(type, text, issues.find(({ field }) => field !== '')?.field);
  }
}

function isBlank(value: unknown): boolean {
  return typeof value !== 'string' || value.trim() === '';
}

function parseBody(value: unknown): unknown {
  if (typeof value !== 'string' || isBlank(value)) throw invalid('body', 'it is empty; send a JSON object', undefined);
  try {
    return JSON.parse(value);
  } catch (error) {
    // The parser's message quotes the body, which may hold a secret; only the place is told.
    const position = /position (\d+)/.exec((error as Error).message)?.[1];
    throw invalid('body', `it is not valid JSON${position === undefined ? '' : ` (see character ${position})`}`, undefined);
  }
}

function describe(issue: z.core.$ZodIssue): { readonly field: string; readonly message: string } {
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return { field: [...issue.path, key].join('.'), message: 'is not a known field; leave it out' };
  }
  const field = issue.path.join('.');
  if (issue.code === 'invalid_type' && issue.input === undefined) return { field, message: `is required: ${issue.expected}` };
  return { field, message: issue.message };
}

function invalid(type: ArgumentMetadata['type'], text: string, field: string | undefined): PlatformError {
  const what = { body: 'request body', query: 'query', param: 'path', custom: 'request' }[type];
  return new PlatformError('INVALID_INPUT', `The ${what} is not valid: ${text}.`, {
    details: { ...(field ? { field } : {}), ...(type === 'body' ? { legacyMessage: `failed to parse request body: ${text}` } : {}) },
  });
}
