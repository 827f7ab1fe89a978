import { describe, expect, test } from '@jest/globals';
import { parseEntries } from './kernel-state.js';
import { planPeers } from './plan-peers.js';

const listing = (...entries: readonly object[]) => parseEntries(JSON.stringify(entries));
const flood = (dst: string, more: object = {}) => ({ mac: '00:00:00:00:00:00', dst, flags: ['self'], state: 'permanent', ...more });
const learned = (mac: string, dst: string, more: object = {}) => ({ mac, dst, flags: ['self'], state: '', ...more });
const plan = (peers: readonly string[], ...entries: readonly object[]) => planPeers('lan', new Set(peers), listing(...entries));

describe('the plan of peers', () => {
  test('is empty when the kernel is in step', () => {
    expect(plan(['10.0.0.2', '10.0.0.3'], flood('10.0.0.3'), flood('10.0.0.2')).lines).toEqual([]);
  });

  test('names only what differs, additions first', () => {
    expect(plan(['10.0.0.2', '10.0.0.4'], flood('10.0.0.2'), flood('10.0.0.3'))).toEqual({
      lines: ['fdb append 00:00:00:00:00:00 dev lan dst 10.0.0.4 self permanent', 'fdb del 00:00:00:00:00:00 dev lan dst 10.0.0.3 self'],
      added: ['10.0.0.4'],
      removed: ['10.0.0.3'],
      forgotten: 0,
    });
  });

  test('forgets what was learned behind one who is no peer, and only that', () => {
    const entries = [flood('10.0.0.2'), learned('02:00:00:00:00:02', '10.0.0.2'), learned('02:00:00:00:00:03', '10.0.0.3')];
    expect(plan(['10.0.0.2'], ...entries).lines).toEqual(['fdb del 02:00:00:00:00:03 dev lan dst 10.0.0.3 self']);
  });

  test.each([
    ['a permanent entry of one MAC', learned('02:00:00:00:00:09', '10.0.0.9', { state: 'permanent' })],
    ['a static one', learned('02:00:00:00:00:09', '10.0.0.9', { state: 'static' })],
    ['one that a control plane learned', learned('02:00:00:00:00:09', '10.0.0.9', { flags: ['self', 'extern_learn'] })],
    ['a flood entry with a port of its own', flood('10.0.0.9', { port: 8472 })],
    ['a flood entry with a network of its own', flood('10.0.0.9', { vni: 7 })],
    ['an entry of the bridge', { mac: '02:00:00:00:00:09', flags: [], master: 'lxd-lan', state: 'permanent' }],
  ])('leaves alone what others have set: %s', (_, entry) => {
    expect(plan([], entry).lines).toEqual([]);
  });

  test('knows an IPv6 peer in any spelling', () => {
    expect(plan(['fd00::1'], flood('fd00:0:0::1')).lines).toEqual([]);
  });
});
