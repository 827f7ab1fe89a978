import { isIPv6, SocketAddress } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addressOfPort, linkLocalOf, macOf, portOf, slaacOf } from './lan.js';

/** As the system writes it. */
const canonical = (address: string) => new SocketAddress({ address, family: 'ipv6' }).address;

describe('the MAC of an address', () => {
  test.each([
    ['172.24.1.2', '02:57:ac:18:01:02'],
    ['10.77.255.254', '02:57:0a:4d:ff:fe'],
    ['0.0.0.0', '02:57:00:00:00:00'],
  ])('%s has %s', (address, mac) => expect(macOf(address)).toBe(mac));

  test('is locally administered, of one interface, and no other address has it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.ipV4(), { minLength: 2, maxLength: 2 }), ([one = '', other = '']) => {
        const mac = macOf(one);
        expect(mac).toMatch(/^02:57(:[0-9a-f]{2}){4}$/);
        expect(mac).not.toBe(macOf(other));
      }),
    );
  });
});

describe('the port of an address', () => {
  test('has a name that the kernel takes, and tells the address', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(portOf(address)).toMatch(/^ws[0-9a-f]{8}$/);
        expect(addressOfPort(portOf(address))).toBe(address);
      }),
    );
  });

  test.each(['veth1a2b3c4d', 'ws', 'ws0a4d01', 'ws0a4d010203', 'WS0A4D0102', 'eth0'])('%s is not one', (name) => {
    expect(addressOfPort(name)).toBeUndefined();
  });
});

describe('IPv6 addresses of a MAC', () => {
  test.each([
    ['02:57:ac:18:01:02', 'fe80::57:acff:fe18:102'],
    ['02:57:00:00:00:00', 'fe80::57:ff:fe00:0'],
    ['00:16:3e:aa:bb:cc', 'fe80::216:3eff:feaa:bbcc'],
  ])('link-local of %s is %s', (mac, address) => expect(linkLocalOf(mac)).toBe(address));

  test.each([
    ['fd00:1:2:3::/64', 'fd00:1:2:3:57:acff:fe18:102'],
    ['fd00::/64', 'fd00::57:acff:fe18:102'],
    ['fd00:0:0:1::/64', 'fd00::1:57:acff:fe18:102'],
    ['fd00:1::/64', 'fd00:1::57:acff:fe18:102'],
    ['FD00:0001:2:0::/64', 'fd00:1:2:0:57:acff:fe18:102'],
  ])('in %s it is %s', (subnet, address) => expect(slaacOf(subnet, macOf('172.24.1.2'))).toBe(address));

  test('are written as the kernel writes them', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 }), (ipv4, groups) => {
        const address = slaacOf(`fd00:${groups.join(':')}::/64`, macOf(ipv4));
        expect(isIPv6(address)).toBe(true);
        expect(address).toBe(canonical(address));
        expect(linkLocalOf(macOf(ipv4))).toBe(canonical(linkLocalOf(macOf(ipv4))));
      }),
    );
  });
});
