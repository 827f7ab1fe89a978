import { createHash } from 'node:crypto';

/** The UUID (version 8) that stands for these parts: the same parts always give the same one, other parts another. */
export function uuidOf(parts: readonly string[]): string {
  return formatUuid(createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16), 8);
}

/** Sixteen bytes in the form of a UUID of that version. */
export function formatUuid(source: Buffer, version: 7 | 8): string {
  const bytes = Buffer.from(source);
  bytes[6] = ((bytes[6] as number) & 0x0f) | (version << 4);
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
