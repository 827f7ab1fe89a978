/**
 * What no container reaches by the router, whatever stands there: private, shared (100.64/10), link-local (with the metadata address
 * 169.254.169.254), loopback, multicast and reserved networks (RFC 6890). Networks for documentation are nobody's, and left out.
 */
export const REFUSED_IPV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/3'],
] as const;

/**
 * All but what is given out as global (2000::/3), so also unique local and link-local addresses, multicast, and those that stand for an IPv4
 * address (::ffff:0:0/96, 64:ff9b::/96); of 2000::/3 the tunnels Teredo and 6to4, which stand for IPv4 addresses too, and what is for benchmarks and keys.
 */
export const REFUSED_IPV6 = [
  ...['::/3', '4000::/2', '8000::/1'],
  ...['2001::/32', '2001:2::/48', '2001:10::/28', '2001:20::/28', '2002::/16'],
] as const;
