import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { kubelanConfigSchema } from '#libs/config/kubelan.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import { Lan } from './lan.js';

const config = kubelanConfigSchema.parse({ underlay: { address: '10.0.0.1' }, addresses: ['172.24.0.1/16'] });
const address = (local: string, prefixlen: number) => ({ local, prefixlen, scope: 'global' });
const eth0 = { ifname: 'eth0', flags: ['UP'], mtu: 1500, addr_info: [address('10.0.0.1', 24)] };
const vxlan = {
  ...{ ifname: 'webspaces-lan', flags: ['UP'], mtu: 1450, address: '02:57:ac:18:00:01', addr_info: [address('172.24.0.1', 16)] },
  linkinfo: { info_kind: 'vxlan', info_data: { id: 6969, local: '10.0.0.1', port: 4789, ageing: 30 } },
};
const flood = (dst: string) => ({ mac: '00:00:00:00:00:00', dst, flags: ['self'], state: 'permanent' });
const table = (...peers: readonly string[]) => ({
  nftables: [{ set: { name: 'peers4', elem: peers } }, { set: { name: 'addresses4', elem: ['172.24.0.1'] } }],
});

/** A kernel that says the same all the time, and keeps what it is told to change. */
function kernel(state: { readonly links: readonly object[]; readonly entries?: readonly object[]; readonly table?: object }) {
  const changes: string[] = [];
  const run: RunTool = async (program, args, input = '') => {
    const line = [program, ...args].join(' ');
    if (line === 'ip -j -d address show') return JSON.stringify(state.links);
    if (line.startsWith('bridge -j fdb')) return JSON.stringify(state.entries ?? []);
    if (line.startsWith('nft -j list')) {
      if (state.table) return JSON.stringify(state.table);
      throw new PlatformError('UNAVAILABLE', 'nft failed', { details: { output: 'Error: No such file or directory' } });
    }
    for (const text of input.split('\n').filter((text) => / element |^(?:fdb|link|address) /.test(text)))
      changes.push(`${program} ${text}`);
    return '';
  };
  return { run, changes };
}

function lanOn(state: Parameters<typeof kernel>[0], addresses: readonly string[], unread: readonly string[] = []) {
  const { run, changes } = kernel(state);
  const made: string[] = [];
  const told = { peers: () => undefined, made: (how: string) => made.push(how) };
  const lan = new Lan({ config, run, known: () => ({ addresses, unread }), log: pino({ enabled: false }), told });
  return { lan, changes, made };
}

describe('a sync', () => {
  test('changes nothing where everything is in step, and says so', async () => {
    const { lan, changes, made } = lanOn({ links: [eth0, vxlan], entries: [flood('10.0.0.2')], table: table('10.0.0.2') }, [
      '10.0.0.1',
      '10.0.0.2',
    ]);
    await lan.sync();
    expect([changes, made]).toEqual([[], []]);
    expect(lan.state).toMatchObject({
      interfaceUp: true,
      mtu: 1450,
      underlay: '10.0.0.1',
      peers: new Set(['10.0.0.2']),
      problem: undefined,
    });
  });

  test('lets a new peer in before frames go to it', async () => {
    const { lan, changes } = lanOn({ links: [eth0, vxlan], table: table() }, ['10.0.0.2']);
    await lan.sync();
    expect(changes).toEqual([
      'nft add element inet webspaces_lan peers4 { 10.0.0.2 }',
      'bridge fdb append 00:00:00:00:00:00 dev webspaces-lan dst 10.0.0.2 self permanent',
    ]);
  });

  test('keeps the peers of the process before, until every Service was read', async () => {
    const there = { links: [eth0, vxlan], entries: [flood('10.0.0.2')], table: table('10.0.0.2') };
    const before = lanOn(there, [], ['webspaces']);
    await before.lan.sync();
    expect([before.changes, before.lan.state.unread]).toEqual([[], ['webspaces']]);
    const after = lanOn(there, []);
    await after.lan.sync();
    expect(after.changes).toEqual([
      'nft delete element inet webspaces_lan peers4 { 10.0.0.2 }',
      'bridge fdb del 00:00:00:00:00:00 dev webspaces-lan dst 10.0.0.2 self',
    ]);
  });

  test('makes a lost interface with the peers that the filter remembers, while no Service can be read', async () => {
    const { lan, changes, made } = lanOn({ links: [eth0], table: table('10.0.0.2') }, [], ['webspaces']);
    await lan.sync();
    expect(changes.at(-1)).toBe('bridge fdb append 00:00:00:00:00:00 dev webspaces-lan dst 10.0.0.2 self permanent');
    expect(made).toEqual(['new']);
  });

  test('that fails is told, and what was seen before stays', async () => {
    const links = [{ ...eth0, addr_info: [] }];
    const { lan } = lanOn({ links }, []);
    await expect(lan.sync()).rejects.toEqual(expect.objectContaining({ code: 'UNAVAILABLE' }));
    expect(lan.state.problem).toBe("No interface has the underlay's address 10.0.0.1.");
  });
});
