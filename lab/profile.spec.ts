import { describe, expect, test } from '@jest/globals';
import { createProfile, PROFILES, type ProfileName, parseProfile, profileNamed, siteUrl } from './profile.js';

const profiles = (Object.keys(PROFILES) as ProfileName[]).map(profileNamed);
const distinct = <T>(values: readonly T[]) => new Set(values).size === values.length;

describe('the profiles of labs', () => {
  test('share no port', () => {
    expect(distinct(profiles.flatMap((profile) => Object.values(profile.ports)))).toBe(true);
  });

  test('stay below the ports the system hands out by itself', () => {
    expect(Math.max(...profiles.flatMap((profile) => Object.values(profile.ports)))).toBeLessThan(32_768);
  });

  test('share no subnet, link, namespace, folder or cgroup', () => {
    const names = profiles.map(({ network, paths, sandboxName }) => [
      network.containerSubnet,
      network.linkSubnet,
      network.hostLink.device,
      network.routerNamespace,
      paths.state,
      sandboxName,
    ]);
    expect(distinct(names.flat())).toBe(true);
  });

  test('give the platform addresses that LXD does not lease by itself', () => {
    for (const { network } of profiles) {
      const lastLease = network.dhcpRange.split('-')[1] ?? '';
      expect(numberOf(network.staticRange.from)).toBeGreaterThan(numberOf(lastLease));
    }
  });

  test('keep device names within 15 characters and sockets within the 108 bytes of a unix socket', () => {
    const longest = createProfile({ name: 'abcdefghijkl', index: 9 });
    expect(longest.network.hostLink.device.length).toBeLessThanOrEqual(15);
    expect(longest.paths.lxdSocket.length).toBeLessThan(90);
  });

  test('refuse a name or an index that would not fit', () => {
    expect(() => createProfile({ name: 'Dev', index: 0 })).toThrow(/1 to 12/);
    expect(() => createProfile({ name: 'dev', index: 10 })).toThrow(/0 to 9/);
  });

  test('are given by name, or as a name with a free index', () => {
    expect(parseProfile('bench').index).toBe(2);
    expect(parseProfile('scratch:7').paths.state).toBe('/var/lib/webspaces-lab/scratch');
    expect(() => parseProfile('scratch:1')).toThrow(/free index/);
    expect(() => parseProfile('nothing')).toThrow(/is one of dev, test/);
  });

  test('name sites below localhost', () => {
    expect(siteUrl(profileNamed('dev'), 'alice')).toBe('https://alice.ws.localhost:20443');
  });
});

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
