import { parseDocument } from 'yaml';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { ImageMetadata } from './types.js';

export const MAX_METADATA_CHARACTERS = 1024 * 1024;
/** The last second of the year 9999: versions begin with a date of eight digits. */
const MAX_SECONDS = 253_402_300_799;

const seconds = z
  .string()
  .regex(/^[0-9]{1,12}$/, 'is not a number of seconds since 1970')
  .transform(Number)
  .refine((value) => value <= MAX_SECONDS, 'is after the year 9999');

const schema = z.object({
  architecture: z.string('is missing').min(1, 'is empty').max(64, 'is too long'),
  creation_date: z.preprocess((value) => value ?? '', seconds),
  expiry_date: z.preprocess(orNothing, seconds.optional()),
  properties: z.preprocess(
    orNothing,
    z.record(z.string(), z.string('is not a text').max(4096, 'is too long'), 'is not a mapping').optional(),
  ),
});

/** What YAML writes for nothing, where it could not be a value. */
function orNothing(value: unknown): unknown {
  return value === '' || value === '~' || value === 'null' ? undefined : value;
}

/**
 * `metadata.yaml` of an image, LXD's or Incus'. Every value is read as the text that stands there (`version: 5.10` is "5.10"), as LXD does. Throws
 * INVALID_INPUT naming the field.
 */
export function parseMetadata(yaml: string): ImageMetadata {
  const parsed = schema.safeParse(documentOf(yaml));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join('.') || 'the document';
    throw invalid(field, issue?.message ?? 'is not valid');
  }
  const { architecture, creation_date, expiry_date, properties } = parsed.data;
  return {
    architecture,
    creationDate: creation_date,
    ...(expiry_date ? { expiryDate: expiry_date } : {}),
    properties: properties ?? {},
  };
}

function documentOf(yaml: string): unknown {
  if (yaml.length > MAX_METADATA_CHARACTERS) throw invalid('the document', 'is too long');
  const document = parseDocument(yaml, { schema: 'failsafe', logLevel: 'silent' });
  const [error] = document.errors;
  if (error !== undefined) throw invalid('the document', `is not YAML (${error.message.split('\n', 1)[0]})`);
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch (cause) {
    throw invalid('the document', 'has too many references', cause);
  }
}

function invalid(field: string, problem: string, cause?: unknown): PlatformError {
  return new PlatformError('INVALID_INPUT', `metadata.yaml: ${field} ${problem}.`, { details: { field }, cause });
}
