import { randomBytes } from 'node:crypto';
import { formatUuid, uuidOf } from '#libs/domain/uuid.js';
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
  return uuidOf(['operation', subject, route, key]);
}

/** The uid of the webspace that an operation creates. Follows from the operation, so that a repeated request has the same input. */
export function uidFor(operationId: string): string {
  return uuidOf(['uid', operationId]);
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
