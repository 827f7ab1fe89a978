import { createHash } from 'node:crypto';

export interface AddressRange {
  readonly from: string;
  readonly to: string;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** How many addresses the range holds. */
export function rangeSize(range: AddressRange): number {
  return toNumber(range.to) - toNumber(range.from) + 1;
}

/**
 * The order in which a webspace tries the addresses of the range: it begins where the hash of its uid falls, so that creations at once
 * seldom meet, and a retry meets its own claim first.
 */
export function* addressCandidates(range: AddressRange, uid: string): Generator<string> {
  const size = rangeSize(range);
  const first = createHash('sha256').update(uid).digest().readUInt32BE(0) % size;
  for (let i = 0; i < size; i++) yield toAddress(toNumber(range.from) + ((first + i) % size));
}

/** Name of the Address object that stands for an address: `10-77-0-12`. */
export function addressObjectName(address: string): string {
  return address.replaceAll('.', '-');
}
