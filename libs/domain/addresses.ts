import { candidates } from './candidates.js';

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

/** Whether the range holds an IPv4 address. */
export function isInRange({ from, to }: AddressRange, address: string): boolean {
  return toNumber(from) <= toNumber(address) && toNumber(address) <= toNumber(to);
}

/** How many addresses the range holds. */
export function rangeSize(range: AddressRange): number {
  return toNumber(range.to) - toNumber(range.from) + 1;
}

/** The order in which a webspace tries the addresses of the range. */
export function* addressCandidates(range: AddressRange, uid: string): Generator<string> {
  for (const index of candidates(rangeSize(range), uid)) yield toAddress(toNumber(range.from) + index);
}

/** Name of the Address object that stands for an address: `10-77-0-12`. */
export function addressObjectName(address: string): string {
  return address.replaceAll('.', '-');
}
