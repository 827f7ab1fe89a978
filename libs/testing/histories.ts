import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface RecordedHistory {
  /** `<workflow type>/<what it pins>` */
  readonly title: string;
  readonly workflowId: string;
  readonly history: { readonly events: readonly HistoryEvent[] };
}

interface HistoryEvent {
  readonly eventType: string;
  readonly [key: string]: unknown;
}

/** Every history under a folder, in the JSON form of Temporal's CLI and UI. */
export function recordedHistories(folder: string): RecordedHistory[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const file = join(folder, name);
      const { workflowId, ...history } = JSON.parse(readFileSync(file, 'utf8')) as { workflowId: string; events: HistoryEvent[] };
      return { title: `${basename(dirname(file))}/${basename(file, '.json')}`, workflowId, history };
    });
}

/**
 * Beginnings of a history that a worker may have seen, each of which ends where a workflow task was given out: all of them, or `most`, evenly
 * spread, with the first and the last.
 */
export function beginningsOf({ history }: RecordedHistory, most: number): { readonly events: readonly HistoryEvent[] }[] {
  const ends = history.events.flatMap(({ eventType }, i) => (eventType === 'EVENT_TYPE_WORKFLOW_TASK_STARTED' ? [i + 1] : []));
  const step = Math.max(1, (ends.length - 1) / (most - 1));
  const chosen = new Set(Array.from({ length: Math.min(most, ends.length) }, (_, i) => ends[Math.round(i * step)] as number));
  return [...chosen].map((end) => ({ events: history.events.slice(0, end) }));
}

/**
 * Every text in a history, with payloads decoded: arguments, results, heartbeats, failures, memo, summaries, details, search attributes,
 * headers. Base64 inside of texts is decoded once more.
 */
export function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value, ...decoded(value)];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([key, inner]) => [key, ...textsOf(inner)]);
  return [];
}

function decoded(text: string): string[] {
  const texts = (text.match(/[A-Za-z0-9+/_-]{16,}={0,2}/g) ?? []).map((part) => Buffer.from(part, 'base64').toString('utf8'));
  return texts.flatMap((inner) => [
    inner,
    ...(inner.match(/[A-Za-z0-9+/_-]{16,}={0,2}/g) ?? []).map((part) => Buffer.from(part, 'base64').toString('utf8')),
  ]);
}

/** What must never be in a history: bearer tokens by their form, keys, password hashes, and what the recording planted. */
export const SECRET_FORMS: readonly RegExp[] = [
  /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\./,
  /"alg":"HS256"/,
  /Bearer\s+[\w.~+/-]{16,}/,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\$(?:1|5|6|y|2[aby])\$[./A-Za-z0-9$]{8,}/,
  /planted-secret/,
];

/** The texts that hold a secret, cut to what tells where. */
export function secretsIn(value: unknown): string[] {
  return textsOf(value)
    .filter((text) => SECRET_FORMS.some((form) => form.test(text)))
    .map((text) => text.slice(0, 80));
}
