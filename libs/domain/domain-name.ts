import { domainToASCII } from 'node:url';
import { getPublicSuffix } from 'tldts';
import { PlatformError } from '#libs/errors/platform-error.js';

declare const checked: unique symbol;

/** A host name in canonical form: lower case, ASCII (IDN in Punycode), no trailing dot, at least two labels. It can name a claim. */
export type DomainName = string & { readonly [checked]: true };

/** What the installation says about the names that members may bring; from the configuration. */
export interface DomainPolicy {
  readonly baseDomain: string;
  /** Names that nobody gets, with everything below them. */
  readonly reservedDomains: readonly string[];
}

const MAX_INPUT = 1_024;
/** RFC 1035 2.3.4, without the root's empty label. */
const MAX_LENGTH = 253;
const MAX_LABEL = 63;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** A host whose last label is a number is read as an IPv4 address (WHATWG URL, "ends in a number"). */
const ENDS_IN_A_NUMBER = /\.(?:[0-9]+|0x[0-9a-f]*)\.?$/i;
const EXAMPLE = 'e.g. www.example.org';

/**
 * The canonical form of a name as a member writes it: case, trailing dot and IDN (UTS 46, not transitional) do not tell two names apart.
 * Canonical names stay as they are.
 * @throws PlatformError INVALID_INPUT for the field `domain`, saying what to write instead.
 */
export function canonicalDomain(input: string): DomainName {
  const ascii = toAscii(input);
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (name.length > MAX_LENGTH) throw refused(`it has ${name.length} characters in its ASCII form; a host name has at most ${MAX_LENGTH}`);
  const labels = name.split('.');
  if (labels.length < 2) throw refused(`"${shown(input)}" is one label; write the whole name, ${EXAMPLE}`);
  for (const label of labels) {
    if (label === '') throw refused('it has an empty label; write one dot between two labels');
    if (label.length > MAX_LABEL)
      throw refused(`a label of it has ${label.length} characters in its ASCII form; at most ${MAX_LABEL} are allowed`);
    if (!LABEL.test(label)) throw refused(`its label "${label}" may hold letters, digits and inner hyphens only`);
  }
  refuseNumber(name);
  return name as DomainName;
}

/**
 * The canonical form of a name that a member may bring to a webspace, if they prove that it is theirs.
 * @throws PlatformError INVALID_INPUT for the field `domain` when it is no host name, a public suffix, the platform's own, or reserved.
 */
export function customDomain(input: string, policy: DomainPolicy): DomainName {
  const name = canonicalDomain(input);
  if (isWithin(name, policy.baseDomain)) {
    throw refused(`${name} is the platform's own (${policy.baseDomain} and all names below it); bring a name of your own`);
  }
  const reserved = policy.reservedDomains.find((entry) => isWithin(name, entry));
  if (reserved !== undefined) throw refused(`${name} is reserved (${reserved} and all names below it); bring another name`);
  if (getPublicSuffix(name, { allowPrivateDomains: true }) === name) {
    throw refused(`${name} is a public suffix, under which anybody may register; bring a name below it, e.g. my-site.${name}`);
  }
  return name;
}

/** Whether a canonical name is `domain` or lies below it. */
export function isWithin(name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`);
}

/** Node's conversion is a URL's host parser: what is special there (`/`, `%`, `:`, …) is refused before. */
function toAscii(input: string): string {
  if (input === '') throw refused(`it is empty; write a host name, ${EXAMPLE}`);
  if (input.length > MAX_INPUT) throw refused(`it has ${input.length} characters; a host name has at most ${MAX_LENGTH}`);
  if (input.includes('*')) throw refused('wildcards cannot be proved; add each name by itself');
  if (input.includes('_')) throw refused('host names have no underscore; use a hyphen');
  if (input.includes(':')) throw refused(`write the name alone, without scheme and port, ${EXAMPLE}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: every ASCII character but letters, digits, hyphen and dot
  const special = /[\x00-\x2c\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]/.exec(input);
  if (special) throw refused(`it holds ${JSON.stringify(special[0])}; host names are letters, digits, hyphens and dots, ${EXAMPLE}`);
  refuseNumber(input);
  const ascii = domainToASCII(input);
  if (ascii === '') throw refused(`"${shown(input)}" is not a valid international name; write it in Punycode (xn--…) or correct it`);
  return ascii;
}

function refuseNumber(name: string): void {
  if (ENDS_IN_A_NUMBER.test(name)) throw refused(`"${shown(name)}" is an address or ends in a number; write a host name, ${EXAMPLE}`);
}

function shown(input: string): string {
  return input.length > 60 ? `${input.slice(0, 60)}…` : input;
}

function refused(why: string): PlatformError {
  return new PlatformError('INVALID_INPUT', `domain: ${why}.`, { details: { field: 'domain' } });
}
