import ipaddr from 'ipaddr.js';

export type Family = 'ipv4' | 'ipv6';

/** An address as the kernel writes it, so that two spellings of one are equal; undefined for what is none. */
export function canonical(address: string): string | undefined {
  if (!ipaddr.isValid(address)) return undefined;
  const parsed = ipaddr.parse(address);
  return parsed.kind() === 'ipv6' ? (parsed as ipaddr.IPv6).toRFC5952String() : parsed.toString();
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** `172.24.0.1/16` in its two parts. */
export function splitAddress(text: string): { readonly address: string; readonly length: number } {
  const [address = '', length] = text.split('/');
  return { address: canonical(address) ?? address, length: Number(length) };
}
