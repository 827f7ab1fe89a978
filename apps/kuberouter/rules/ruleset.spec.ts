import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { kuberouterConfigSchema } from '#libs/config/kuberouter.js';
import { golden } from '#libs/testing/golden.js';
import { COUNTERS, parseCounters } from './counters.js';
import { rulesetText } from './ruleset.js';
import { type RuleSets, setsChange } from './sets.js';

const ipv6 = { subnet: 'fd57:1:2:3::/64', router: 'fd57:1:2:3::1' };
const CASES = {
  default: {},
  'all-settings': {
    lan: { ipv6, isolation: 'lan' },
    outside: { open: ['tcp/8082', 'udp/6000-6010'] },
    egress: {
      closedTcpPorts: [25, 445],
      refused: ['198.51.100.0/24', '198.51.100.7', '2001:db8:7::/48'],
      allowed: [
        { to: '10.96.0.10', protocol: 'udp', ports: { from: 53, to: 53 } },
        { to: 'fd00:1::/64', protocol: 'tcp', ports: { from: 80, to: 81 } },
      ],
    },
  },
  'nothing-closed-routed': { lan: { ipv6 }, outside: { ipv6: 'routed' }, egress: { closedTcpPorts: [] } },
};
const sets: RuleSets = { exempt: ['172.24.1.5'], served: [{ address: '172.24.1.5', protocol: 'tcp', port: 22 }], subnet6: ipv6.subnet };
const fileOf = (name: string) => join('apps', 'kuberouter', 'rules', 'golden', `${name}.nft`);

describe('rules', () => {
  test.each(Object.entries(CASES))('are as written down: %s', (name, settings) => {
    const text = rulesetText(kuberouterConfigSchema.parse(settings), sets);
    expect(text).toBe(golden(fileOf(name), text));
  });

  // In a namespace of its own: `nft -c` asks the kernel, too.
  test.each(Object.entries(CASES))('are taken by nft: %s', (_name, settings) => {
    const text = rulesetText(kuberouterConfigSchema.parse(settings), sets);
    const { status, stderr } = spawnSync('unshare', ['-n', 'nft', '-c', '-f', '-'], { input: text, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('begin counting where the former ones were', () => {
    const text = rulesetText(
      kuberouterConfigSchema.parse({}),
      { exempt: [], served: [] },
      new Map([['refused_private', { packets: 7, bytes: 420 }]]),
    );
    expect(text).toContain('counter refused_private { packets 7 bytes 420; }');
    expect(text).toContain('counter refused_router { packets 0 bytes 0; }');
  });
});

describe('sets', () => {
  test('change by what differs', () => {
    const more: RuleSets = {
      exempt: [],
      served: [...sets.served, { address: '172.24.1.6', protocol: 'udp', port: 53 }],
      subnet6: ipv6.subnet,
    };
    expect(setsChange(sets, more).split('\n')).toEqual([
      'delete element inet webspaces_router exempt4 { 172.24.1.5 }',
      'delete element inet webspaces_router exempt6 { fd57:1:2:3:57:acff:fe18:105 }',
      'add element inet webspaces_router served4 { 172.24.1.6 . udp . 53 }',
    ]);
  });

  test('do not change when nothing differs, whatever their order', () => {
    const two = { ...sets, exempt: ['172.24.1.6', '172.24.1.5', '172.24.1.5'] };
    expect(setsChange(two, { ...sets, exempt: ['172.24.1.5', '172.24.1.6'] })).toBe('');
  });
});

test('counters are read by name', () => {
  const nftables = [
    { metainfo: {} },
    { counter: { family: 'inet', name: 'sent', table: 'webspaces_router', handle: 3, packets: 2, bytes: 90 } },
  ];
  expect(parseCounters(JSON.stringify({ nftables }))).toEqual(new Map([['sent', { packets: 2, bytes: 90 }]]));
  expect(() => parseCounters('{}')).toThrow(/not known/);
  expect(COUNTERS).toContain('refused_private');
});
