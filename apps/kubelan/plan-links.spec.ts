import { describe, expect, test } from '@jest/globals';
import { parseLinks } from './kernel-state.js';
import { planLinks, type WantedLinks } from './plan-links.js';

const wanted: WantedLinks = {
  name: 'lan',
  vni: 6969,
  port: 4789,
  local: '10.0.0.1',
  mtu: 1450,
  mac: '02:57:ac:18:00:01',
  ageingSeconds: 30,
  bridge: undefined,
  addresses: [{ address: '172.24.0.1', length: 16 }],
};
const data = { id: 6969, local: '10.0.0.1', port: 4789, ageing: 30 };
const address = (local: string, prefixlen: number, scope = 'global') => ({ local, prefixlen, scope });
const vxlan = (more: object = {}, info: object = {}) => ({
  ifname: 'lan',
  flags: ['UP'],
  mtu: 1450,
  address: '02:aa:aa:aa:aa:aa',
  linkinfo: { info_kind: 'vxlan', info_data: { ...data, ...info } },
  addr_info: [address('172.24.0.1', 16), address('fe80::1', 64, 'link')],
  ...more,
});
const bridge = (more: object = {}) => ({
  ifname: 'br',
  flags: ['UP'],
  mtu: 1500,
  linkinfo: { info_kind: 'bridge' },
  addr_info: [],
  ...more,
});
const plan = (changes: Partial<WantedLinks>, links: readonly object[], ours: readonly string[] = ['172.24.0.1']) =>
  planLinks({ ...wanted, ...changes }, parseLinks(JSON.stringify(links)), new Set(ours));

describe('the plan of the interface', () => {
  test('is empty when everything is as it should be, whatever its MAC and whoever it belongs to', () => {
    expect(plan({}, [vxlan({ master: 'of-somebody' })])).toMatchObject({ lines: [], made: 'nothing', appears: [] });
  });

  test('makes it, with a MAC by its address', () => {
    const { lines, made, appears } = plan({}, []);
    expect(lines).toEqual([
      'link add name lan address 02:57:ac:18:00:01 mtu 1450 type vxlan id 6969 local 10.0.0.1 dstport 4789 ageing 30 maxaddress 16384',
      'link set dev lan up',
      'address add 172.24.0.1/16 brd + dev lan',
    ]);
    expect([made, appears]).toEqual(['new', wanted.addresses]);
  });

  test.each([
    ['the MTU', { mtu: 1400 }, {}, ['link set dev lan mtu 1400']],
    ['the ageing time', { ageingSeconds: 60 }, {}, ['link set dev lan type vxlan ageing 60']],
    ['its own address of the underlay', { local: '10.0.0.9' }, {}, ['link set dev lan type vxlan local 10.0.0.9']],
    ['that it is down', {}, { flags: [] }, ['link set dev lan up']],
  ])('changes in place: %s', (_, changes, more, lines) => {
    expect(plan(changes, [vxlan(more)])).toMatchObject({ lines, made: 'nothing' });
  });

  test.each([
    ['another network', { vni: 7000 }],
    ['another port', { port: 8472 }],
    ['an underlay of the other family', { local: 'fd00::1' }],
  ])('makes it anew for %s, and gives it back its MAC, its bridge and the addresses of others', (_, changes) => {
    const link = vxlan({ master: 'br', addr_info: [address('172.24.0.1', 16), address('172.24.9.9', 16)] });
    const { lines, made } = plan(changes, [bridge(), link]);
    expect(made).toBe('anew');
    expect(lines[0]).toBe('link del dev lan');
    expect(lines[1]).toContain('link add name lan address 02:aa:aa:aa:aa:aa');
    expect(lines.slice(2)).toEqual([
      'link set dev lan addrgenmode none',
      'link set dev lan master br',
      'link set dev lan up',
      'address add 172.24.0.1/16 brd + dev lan',
      'address add 172.24.9.9/16 brd + dev lan',
    ]);
  });

  test('makes the bridge, and moves its own addresses there', () => {
    expect(plan({ bridge: 'br' }, [vxlan()]).lines).toEqual([
      'link add name br address 02:57:ac:18:00:01 mtu 1450 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 3000',
      'link set dev br up',
      'link set dev lan master br',
      'address del 172.24.0.1/16 dev lan',
      'address add 172.24.0.1/16 brd + dev br',
    ]);
  });

  test('takes a bridge as it is', () => {
    const there = bridge({ addr_info: [address('172.24.0.1', 16)] });
    expect(plan({ bridge: 'br' }, [there, vxlan({ master: 'br', addr_info: [] })]).lines).toEqual([]);
  });

  test('takes away only addresses that it has set itself', () => {
    const link = vxlan({ addr_info: [address('172.24.0.1', 16), address('172.24.0.5', 16), address('172.24.0.6', 16)] });
    expect(plan({}, [link], ['172.24.0.1', '172.24.0.5']).lines).toEqual(['address del 172.24.0.5/16 dev lan']);
  });

  test('puts a changed prefix length right', () => {
    const link = vxlan({ addr_info: [address('172.24.0.1', 24)] });
    expect(plan({}, [link]).lines).toEqual(['address del 172.24.0.1/24 dev lan', 'address add 172.24.0.1/16 brd + dev lan']);
  });

  test('refuses a name that something else has', () => {
    expect(() => plan({}, [{ ...bridge(), ifname: 'lan' }])).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(() => plan({ bridge: 'lan2' }, [vxlan(), { ...vxlan(), ifname: 'lan2' }])).toThrow(
      expect.objectContaining({ code: 'CONFLICT' }),
    );
  });
});
