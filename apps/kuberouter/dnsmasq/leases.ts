/** One line of dnsmasq's lease file (dnsmasq(8), `--dhcp-leasefile`). */
export interface Lease {
  /** In seconds since 1970; 0 for one without an end. */
  readonly expires: number;
  readonly mac: string;
  readonly address: string;
  /** What the client calls itself; `*` for nothing. */
  readonly name: string;
  readonly clientId: string;
}

const LINE = /^(\d+) ([0-9a-f:]{17}) (\d+\.\d+\.\d+\.\d+) (\S+) (\S+)$/;

/** The IPv4 leases of a lease file; lines that are none (IPv6's, one that is half written) are left out. */
export function parseLeases(text: string): Lease[] {
  return text.split('\n').flatMap((line) => {
    const [, expires, mac, address, name, clientId] = LINE.exec(line) ?? [];
    if (mac === undefined || address === undefined || name === undefined || clientId === undefined) return [];
    return [{ expires: Number(expires), mac, address, name, clientId }];
  });
}

export function formatLeases(leases: readonly Lease[]): string {
  return leases.map(({ expires, mac, address, name, clientId }) => `${expires} ${mac} ${address} ${name} ${clientId}\n`).join('');
}
