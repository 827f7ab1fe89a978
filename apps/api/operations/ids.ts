import { createHash, randomBytes } from 'node:crypto';
import type { BodyMark } from '#libs/temporal/operations.js';

/** A UUID of version 7: sorts by the time it was made. */
export function uuidV7(now = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  return formatUuid(bytes, 7);
}

/** The operation id that a caller's own key stands for: the same caller, route and key give the same operation. */
export function operationIdFor({
  subject,
  route,
  key,
}: {
  readonly subject: string;
  readonly route: string;
  readonly key: string;
}): string {
  return formatUuid(hash(['operation', subject, route, key]), 8);
}

/** The uid of the webspace that an operation creates. Follows from the operation, so that a repeated request has the same input. */
export function uidFor(operationId: string): string {
  return formatUuid(hash(['uid', operationId]), 8);
}

/** The same text for bodies that mean the same, whatever the order of their keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Marks an operation with its body without keeping the body, which may hold a secret: the fingerprint is keyed. */
export function bodyMarkOf(
  body: unknown,
  sealing: { fingerprint(text: string): string; matches(text: string, fingerprint: string): boolean },
): BodyMark {
  const text = canonicalJson(body ?? null);
  return { fingerprint: sealing.fingerprint(text), matches: (fingerprint) => sealing.matches(text, fingerprint) };
}

function hash(parts: readonly string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
}

function formatUuid(source: Buffer, version: 7 | 8): string {
  const bytes = Buffer.from(source);
  bytes[6] = ((bytes[6] as number) & 0x0f) | (version << 4);
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
