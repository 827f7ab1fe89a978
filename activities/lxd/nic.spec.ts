import { describe, expect, test } from '@jest/globals';
import type { Platform } from '#libs/domain/platform.js';
import { guardedNic, ownNic } from './nic.js';

type Networks = Pick<Platform, 'network' | 'bridge' | 'nic'>;

const managed: Networks = { network: 'lxdbr0', nic: { isolation: 'strict' } };
const unmanaged: Networks = { ...managed, bridge: 'lxd-lan' };
const FILTERS = { 'security.mac_filtering': 'true', 'security.ipv4_filtering': 'true', 'security.ipv6_filtering': 'true' };
const ISOLATED = { 'security.port_isolation': 'true' };
const place = { type: 'nic', name: 'eth0', network: 'lxdbr0' };
const old = { ...place, 'ipv4.address': '10.77.128.9' };

describe('the interface of a webspace', () => {
  test('on a managed bridge has its address, and LXD keeps it to that', () => {
    expect(ownNic(managed, '10.77.128.9')).toEqual({ ...old, ...FILTERS, ...ISOLATED });
  });

  test('may reach others where the platform says so', () => {
    expect(ownNic({ ...managed, nic: { isolation: 'lan' } }, '10.77.128.9')).toEqual({ ...old, ...FILTERS });
  });

  test('on an unmanaged bridge is known by its MAC and its port', () => {
    expect(ownNic(unmanaged, '172.24.1.2')).toEqual({
      type: 'nic',
      name: 'eth0',
      nictype: 'bridged',
      parent: 'lxd-lan',
      hwaddr: '02:57:ac:18:01:02',
      host_name: 'wsac180102',
      ...ISOLATED,
    });
  });

  test('keeps what the profile says of the same network, also against a guard', () => {
    const profiles = { ...place, 'limits.egress': '10Mbit', 'security.port_isolation': 'false' };
    expect(ownNic(managed, '10.77.128.9', profiles)).toMatchObject({ 'limits.egress': '10Mbit', 'security.port_isolation': 'false' });
    expect(ownNic(managed, '10.77.128.9', { ...profiles, network: 'other' })).not.toHaveProperty(['limits.egress']);
    expect(ownNic(unmanaged, '172.24.1.2', profiles)).not.toHaveProperty('network');
    expect(ownNic(unmanaged, '172.24.1.2', { nictype: 'bridged', parent: 'lxd-lan', mtu: '1400' })).toMatchObject({ mtu: '1400' });
  });
});

describe('an interface made before', () => {
  test('gets the guards that it lacks, and keeps the rest', () => {
    const eth0 = { ...old, 'limits.egress': '10Mbit' };
    expect(guardedNic(managed, { devices: { eth0 } })).toEqual({ ...eth0, ...FILTERS, ...ISOLATED });
  });

  test('that says something of a guard itself is not overruled', () => {
    const eth0 = { ...ownNic(managed, '10.77.128.9'), 'security.port_isolation': 'false' };
    expect(guardedNic(managed, { devices: { eth0 } })).toBeUndefined();
  });

  test.each([
    ['that has all of them', { eth0: ownNic(managed, '10.77.128.9') }],
    ['on another network', { eth0: { ...old, network: 'other' } }],
    ['in a VLAN, beside which LXD refuses filters', { eth0: { ...old, vlan: '7' } }],
    ["that is only its profile's", {}],
  ])('%s stays as it is', (_, devices) => expect(guardedNic(managed, { devices })).toBeUndefined());
});
