/**
 * The MAC of the interface of a webspace with this IPv4 address: `02:57:` and its four octets. Locally administered, and no other webspace's,
 * so that whoever knows the one knows the other: a reservation keeps nothing of its own.
 */
export function macOf(address: string): string {
  return ['02', '57', ...address.split('.').map((octet) => hex(Number(octet)))].join(':');
}

/** The name on the member of the interface of a webspace with this address; no other interface of a member has one of this form. */
export function portOf(address: string): string {
  return `ws${address
    .split('.')
    .map((octet) => hex(Number(octet)))
    .join('')}`;
}

/** The address that an interface of a member is named by; undefined for any but a webspace's. */
export function addressOfPort(port: string): string | undefined {
  const octets = /^ws([0-9a-f]{8})$/.exec(port)?.[1]?.match(/../g);
  return octets?.map((octet) => Number.parseInt(octet, 16)).join('.');
}

/** The link-local IPv6 address that an interface with this MAC gives itself (EUI-64, RFC 4291 appendix A). */
export function linkLocalOf(mac: string): string {
  return compress(['fe80', '0', '0', '0', ...interfaceId(mac)]);
}

/** The address that SLAAC gives an interface with this MAC in a /64, written `fd00:1:2:3::/64` (RFC 4862). */
export function slaacOf(subnet: string, mac: string): string {
  const prefix = subnet.replace(/\/64$/, '');
  return compress([...expand(prefix).slice(0, 4), ...interfaceId(mac)]);
}

function interfaceId(mac: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => Number.parseInt(part, 16));
  return [
    [a ^ 0x02, b],
    [c, 0xff],
    [0xfe, d],
    [e, f],
  ].map(([high = 0, low = 0]) => (high * 256 + low).toString(16));
}

/** All eight groups of an address without an embedded IPv4 one. */
function expand(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  if (tail === undefined) return groups(head);
  const [before, after] = [groups(head), groups(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after];
}

/** As RFC 5952 writes it, and so the kernel: the longest, first run of zeros is left out. */
function compress(groups: readonly string[]): string {
  const plain = groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
  const runs = plain.match(/(?<![^:])0(?::0)+(?![^:])/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return plain;
  const at = plain.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  const [before, after] = [plain.slice(0, at).replace(/:$/, ''), plain.slice(at + longest.length).replace(/^:/, '')];
  return `${before}::${after}`;
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, '0');
}
