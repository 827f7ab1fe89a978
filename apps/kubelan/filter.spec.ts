import { describe, expect, test } from '@jest/globals';
import { type FilterWanted, filterScript, parseFilter } from './filter.js';

const wanted = (peers: readonly string[], addresses: readonly string[] = []): FilterWanted => ({
  vni: 6969,
  port: 4789,
  through: undefined,
  interfaces: ['lan', 'br'],
  peers: new Set(peers),
  addresses: new Set(addresses),
});
const state = (peers: readonly string[], addresses: readonly string[] = []) => ({
  peers: new Set(peers),
  addresses: new Set(addresses),
  counters: { refused_senders: 0, refused_advertisements: 0 },
});
const elements = (script: string) => script.split('\n').filter((line) => line.includes(' element '));

describe('the filter', () => {
  test('refuses packets of its network from who is no peer, of either family, and counts them', () => {
    const lines = filterScript(wanted([]), undefined).split('\n');
    expect(lines).toContain(
      'add rule inet webspaces_lan input udp dport 4789 @th,96,24 6969 ip saddr != @peers4 counter name refused_senders drop',
    );
    expect(lines).toContain(
      'add rule inet webspaces_lan input udp dport 4789 @th,96,24 6969 ip6 saddr != @peers6 counter name refused_senders drop',
    );
  });

  test('refuses packets beside the tunnels, where there are tunnels', () => {
    const lines = filterScript({ ...wanted(['fd57::1']), through: 'webspaces-wg' }, undefined).split('\n');
    const rule =
      'add rule inet webspaces_lan input udp dport 4789 @th,96,24 6969 iifname != "webspaces-wg" counter name refused_senders drop';
    expect(lines.indexOf(rule)).toBeGreaterThan(0);
    expect(lines.indexOf(rule)).toBeLessThan(lines.findIndex((line) => line.includes('saddr')));
  });

  test('changes sets by what differs only', () => {
    const script = filterScript(
      wanted(['10.0.0.2', '10.0.0.4', 'fd00::4'], ['172.24.0.1']),
      state(['10.0.0.2', '10.0.0.3'], ['172.24.0.1']),
    );
    expect(elements(script)).toEqual([
      'add element inet webspaces_lan peers4 { 10.0.0.4 }',
      'add element inet webspaces_lan peers6 { fd00::4 }',
      'delete element inet webspaces_lan peers4 { 10.0.0.3 }',
    ]);
  });

  test('touches no set that is in step', () => {
    expect(elements(filterScript(wanted(['10.0.0.2']), state(['10.0.0.2'])))).toEqual([]);
  });

  test('is read as nft lists it', () => {
    const listing = {
      nftables: [
        { metainfo: { version: '1.0.6' } },
        { table: { family: 'inet', name: 'webspaces_lan' } },
        { counter: { name: 'refused_senders', packets: 5, bytes: 10 } },
        { set: { name: 'peers4', elem: ['10.0.0.2'] } },
        { set: { name: 'peers6' } },
        { set: { name: 'addresses6', elem: ['fd24::1'] } },
        { chain: { name: 'input' } },
      ],
    };
    expect(parseFilter(JSON.stringify(listing))).toEqual({
      peers: new Set(['10.0.0.2']),
      addresses: new Set(['fd24::1']),
      counters: { refused_senders: 5, refused_advertisements: 0 },
    });
  });
});
