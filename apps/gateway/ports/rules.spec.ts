import { describe, expect, test } from '@jest/globals';
import { difference } from './plan.js';
import { changeScript, parseListing, portsOfFlows, tableScript } from './rules.js';

const entry = (address: string, internal: number) => ({ address, internal });

describe('what nft is told', () => {
  test('is one transaction in which what leaves goes first', () => {
    const now = new Map([
      ['tcp-50000', entry('10.0.0.1', 22)],
      ['udp-50001', entry('10.0.0.2', 53)],
    ]);
    const wanted = new Map([['tcp-50000', entry('10.0.0.3', 22)]]);
    const counted = new Set(['10.0.0.1', '10.0.0.2']);
    expect(changeScript(now, difference(now, wanted), counted).split('\n')).toEqual([
      'delete element inet webspaces tcp_forwards { 50000 }',
      'delete element inet webspaces udp_forwards { 50001 }',
      'delete element inet webspaces traffic { 10.0.0.1, 10.0.0.2 }',
      'add element inet webspaces traffic { 10.0.0.3 }',
      'add element inet webspaces tcp_forwards { 50000 : 10.0.0.3 . 22 }',
    ]);
  });

  test('is nothing when nothing changes', () => {
    const now = new Map([['tcp-50000', entry('10.0.0.1', 22)]]);
    expect(changeScript(now, difference(now, new Map(now)), new Set(['10.0.0.1']))).toBe('');
  });

  test('hides clients only where that was asked for, and forwards at one address only', () => {
    expect(tableScript({ snat: false })).not.toContain('masquerade');
    const rules = tableScript({ snat: true, hostAddress: '192.0.2.7' });
    expect(rules).toContain('masquerade');
    expect(rules).toContain('prerouting ip daddr 192.0.2.7 jump forwards');
    expect(rules).not.toContain('fib');
  });

  test('looks up no address for a packet that a container sends by TCP', () => {
    const [, ...rules] = tableScript({ snat: false }).split('add rule inet webspaces count ');
    expect(rules.map((rule) => rule.trim())).toEqual([
      'ct direction reply meta l4proto tcp accept',
      'ct status dnat ct direction original ip daddr @traffic',
      'ct status dnat ct direction reply ip saddr @traffic',
    ]);
  });
});

describe("nft's listing", () => {
  const listing = (parts: object[]) => JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...parts] });

  test('is read with maps that are empty', () => {
    const text = listing([
      { map: { family: 'inet', name: 'tcp_forwards', table: 'webspaces', elem: [[50000, { concat: ['10.0.0.1', 22] }]] } },
      { map: { family: 'inet', name: 'udp_forwards', table: 'webspaces' } },
      { set: { name: 'traffic', elem: [{ elem: { val: '10.0.0.1', counter: { packets: 7, bytes: 420 } } }] } },
    ]);
    const { entries, traffic } = parseListing(text);
    expect([...entries]).toEqual([['tcp-50000', entry('10.0.0.1', 22)]]);
    expect([...traffic]).toEqual([['10.0.0.1', 7]]);
  });

  test.each(['', '{}', listing([]), listing([{ map: { name: 'tcp_forwards', elem: 'x' } }])])(
    'of something else is refused: %s',
    (text) => {
      expect(() => parseListing(text)).toThrow(/Delete the table/);
    },
  );
});

test('ports with UDP flows are those that clients meant', () => {
  const lines = [
    'udp      17 29 src=10.76.8.1 dst=10.76.8.2 sport=40000 dport=50104 [UNREPLIED] src=10.85.0.9 dst=10.76.8.1 sport=7004 dport=40000 mark=0 use=1',
    'udp      17 118 src=10.76.8.1 dst=10.76.8.2 sport=50105 dport=50106 src=10.85.0.9 dst=10.76.8.1 sport=7004 dport=50105 [ASSURED] mark=0 use=1',
  ];
  expect([...portsOfFlows(`${lines.join('\n')}\n`)]).toEqual(['50104', '50106']);
  expect(portsOfFlows('').size).toBe(0);
});
