import { describe, expect, test } from '@jest/globals';
import { lanSchema } from '#libs/config/lan.js';
import { reservationsOf } from './reservations.js';
import type { WebspaceView } from './webspaces.js';

const lan = lanSchema.parse({});
const view = (name: string, address: string | undefined, rest: Partial<WebspaceView> = {}): WebspaceView => ({
  name,
  address,
  createdAt: '2026-01-01T00:00:00Z',
  withheld: [],
  ports: [],
  ...rest,
});

describe('reservations', () => {
  test('are those of webspaces with an address, by name', () => {
    const { reservations, conflicts } = reservationsOf(
      [view('ws-u2', '172.24.1.2'), view('ws-u1', '172.24.1.1'), view('ws-u3', undefined)],
      lan,
    );
    expect(reservations).toEqual([
      { name: 'ws-u1', address: '172.24.1.1' },
      { name: 'ws-u2', address: '172.24.1.2' },
    ]);
    expect(conflicts).toEqual([]);
  });

  test.each([[['a', 'b']], [['b', 'a']]])('leave an address to the older of two, in whichever order they are told: %j', (order) => {
    const both: Record<string, WebspaceView> = {
      a: view('a', '172.24.1.1', { createdAt: '2026-01-02T00:00:00Z' }),
      b: view('b', '172.24.1.1', { createdAt: '2026-01-01T00:00:00Z' }),
    };
    const { reservations, conflicts } = reservationsOf(
      order.flatMap((name) => both[name] ?? []),
      lan,
    );
    expect(reservations).toEqual([{ name: 'b', address: '172.24.1.1' }]);
    expect(conflicts).toEqual([{ name: 'a', address: '172.24.1.1', reason: "it is b's" }]);
  });

  test.each([
    ['outside of the subnet', '10.0.0.1', /outside of 172\.24\.0\.0\/16/],
    ['the router', '172.24.254.1', /router's/],
    ['the first of the pool', '172.24.192.1', /in the pool/],
    ['the last of the pool', '172.24.253.254', /in the pool/],
    ['the network', '172.24.0.0', /no address of a host/],
    ['everybody', '172.24.255.255', /no address of a host/],
    ['no address', '172.24.1.1,evil', /no IPv4 address/],
    ['written otherwise', '172.24.1.010', /no IPv4 address/],
  ])('are not made for %s', (_what, address, reason) => {
    const { reservations, conflicts } = reservationsOf([view('ws-u1', address)], lan);
    expect(reservations).toEqual([]);
    expect(conflicts[0]?.reason).toMatch(reason);
  });

  test.each(['172.24.191.255', '172.24.253.255', '172.24.254.2'])('are made beside the pool: %s', (address) => {
    expect(reservationsOf([view('ws-u1', address)], lan).reservations).toHaveLength(1);
  });

  test.each(['router', 'wpad', 'a.b', 'a\nb', 'Ws-u1', '-a'])('are not made for a name that is none of a host: %j', (name) => {
    expect(reservationsOf([view(name, '172.24.1.1')], lan).reservations).toEqual([]);
  });

  test('are not made for an address whose claim another webspace holds', () => {
    const { reservations, conflicts } = reservationsOf([view('ws-u1', '172.24.1.1', { withheld: ['address/172-24-1-1'] })], lan);
    expect(reservations).toEqual([]);
    expect(conflicts[0]?.reason).toBe('another webspace holds it');
  });
});
