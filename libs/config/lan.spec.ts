import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { lanSchema } from './lan.js';
import { leavesOf } from './leaves.js';

const problems = (content: unknown) => lanSchema.safeParse(content).error?.issues.map((issue) => issue.path.join('.')) ?? [];

describe('the section lan', () => {
  test('has a default for everything', () => {
    expect(lanSchema.parse({})).toEqual({
      interface: 'webspaces-lan',
      vni: 6969,
      port: 4789,
      services: [],
      encryption: 'none',
      ipv4: { subnet: '172.24.0.0/16', router: '172.24.254.1', pool: { from: '172.24.192.1', to: '172.24.253.254' } },
      domain: 'webspace',
      isolation: 'strict',
    });
  });

  test.each([
    ['an interface name that Linux does not take', { interface: 'a-name-of-16-chars' }, 'interface'],
    ['a Service with too many parts', { services: ['a/b/c'] }, 'services.0'],
    ['a subnet that is an address in it', { ipv4: { subnet: '172.24.0.1/16' } }, 'ipv4.subnet'],
    ['a router of another network', { ipv4: { router: '10.0.0.1' } }, 'ipv4.router'],
    ['a pool that ends before it begins', { ipv4: { pool: { from: '172.24.2.1', to: '172.24.1.1' } } }, 'ipv4.pool.to'],
    ['a pool that leaves the subnet', { ipv4: { pool: { to: '172.25.0.1' } } }, 'ipv4.pool.to'],
    ['a pool that holds the router', { ipv4: { pool: { from: '172.24.1.1', to: '172.24.255.1' } } }, 'ipv4.pool'],
    ['an IPv6 subnet that is not a /64', { ipv6: { subnet: 'fd00::/48', router: 'fd00::1' } }, 'ipv6.subnet'],
    ['an IPv6 router of another network', { ipv6: { subnet: 'fd00::/64', router: 'fd01::1' } }, 'ipv6.router'],
    ['an unknown encryption', { encryption: 'ipsec' }, 'encryption'],
    ['an unknown key', { vxlan: {} }, ''],
  ])('refuses %s', (_, content, path) => {
    expect(problems(content)).toContain(path);
  });

  test('takes Services with and without namespace, and IPv6', () => {
    const lan = lanSchema.parse({ services: ['lxd8s', 'kube-system/traefik'], ipv6: { subnet: 'fd00:24::/64', router: 'fd00:24::1' } });
    expect(lan.services).toEqual(['lxd8s', 'kube-system/traefik']);
    expect(lan.ipv6).toEqual({ subnet: 'fd00:24::/64', router: 'fd00:24::1' });
  });

  test('can be set by environment and flags', () => {
    const leaves = leavesOf(z.strictObject({ lan: lanSchema }));
    expect([...leaves.keys()]).toEqual(expect.arrayContaining(['lan.services', 'lan.ipv4.pool.from', 'lan.ipv6.subnet', 'lan.vni']));
  });
});
