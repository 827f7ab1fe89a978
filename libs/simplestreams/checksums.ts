import { PlatformError } from '#libs/errors/platform-error.js';

const SHA256 = /^[0-9a-f]{64}$/;
const LEADING_HEX = /^\s*\\?([0-9a-fA-F]+)(?![0-9A-Za-z])/;
/** A line of sha256sum, also in a list, a quotation or a block of code. Anything shorter than 16 digits is prose. */
const SUM_LINE = /^[\s>*-]*`?([0-9a-fA-F]{16,}) [ *]?([\w.+-]+)`?\s*$/;

export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/** The checksum at the beginning of a file in sha256sum's form, in lower case. Throws INVALID_INPUT for anything but 64 hex digits there. */
export function parseChecksum(text: string): string {
  const digits = LEADING_HEX.exec(text)?.[1] ?? '';
  if (digits.length !== 64) {
    const found = digits === '' ? 'begins with none' : `begins with ${digits.length}`;
    throw new PlatformError('INVALID_INPUT', `A checksum has 64 hex digits; this one ${found}.`, { details: { field: 'sha256' } });
  }
  return digits.toLowerCase();
}

/** Checksums found in a text; `problems` has the names whose line cannot be believed, and why. */
export interface ChecksumBlock {
  readonly sums: ReadonlyMap<string, string>;
  readonly problems: ReadonlyMap<string, string>;
}

/** The lines `<64 hex digits>  <name>` of a release's text; all other lines are passed over. */
export function parseChecksumBlock(text: string): ChecksumBlock {
  const sums = new Map<string, string>();
  const problems = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, digits, name] = SUM_LINE.exec(line) ?? [];
    if (digits === undefined || name === undefined) continue;
    const sum = digits.toLowerCase();
    if (sum.length !== 64) problems.set(name, `the checksum of ${name} in the release's text has ${sum.length} digits instead of 64`);
    else if ((sums.get(name) ?? sum) !== sum) problems.set(name, `the release's text has two different checksums of ${name}`);
    else sums.set(name, sum);
  }
  return { sums, problems };
}
