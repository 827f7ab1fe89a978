import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Content,
  differenceOf,
  MARK,
  markFor,
  merged,
  type Present,
  partOf,
  type Wanted,
  type World,
  wantedOf,
} from './difference.js';
import { type Preseed, preseedSchema } from './schema.js';

const preseed = (raw: object): Preseed => preseedSchema.parse(raw);
const EMPTY: World = { config: {}, lists: { projects: [], storage_pools: [], networks: [], profiles: [] } };
const present = (of: Partial<Present> & { name: string }): Present => ({
  project: 'default',
  description: '',
  config: {},
  devices: {},
  made: 'wholly',
  ...of,
});
const world = (lists: Partial<World['lists']>, config = {}): World => ({ config, lists: { ...EMPTY.lists, ...lists } });
const steps = (raw: object, now: World) => differenceOf(preseed(raw), now).changes.map((change) => `${change.do} ${change.what}`);

/** What LXD has once all changes were made. */
function madeOf(wanted: Preseed, now: World): World {
  const lists = structuredClone(now.lists) as Record<keyof World['lists'], Present[]>;
  const config: Record<string, string> = { ...now.config };
  for (const change of differenceOf(wanted, now).changes) {
    if (change.do === 'configure') {
      for (const [key, value] of Object.entries(change.config))
        if (value === '') delete config[key];
        else config[key] = value;
      continue;
    }
    const { list, name, project, sort } = change.wanted;
    const at = lists[list].findIndex((one) => one.name === name && one.project === project);
    const base = at < 0 ? present({ name, project, ...(sort === undefined ? {} : { sort }) }) : (lists[list][at] as Present);
    const next = { ...base, ...merged(change.wanted, base), made: 'wholly' as const };
    if (at < 0) lists[list].push(next);
    else lists[list][at] = next;
  }
  return { config, lists };
}

describe('73: the difference between a preseed and LXD', () => {
  test('all of it is made, in the order in which one needs the other, when nothing is there', () => {
    const raw = {
      config: { 'images.auto_update_interval': 0 },
      profiles: [{ name: 'default', devices: { root: { type: 'disk', pool: 'p', path: '/' } } }],
      networks: [{ name: 'br0' }],
      storage_pools: [{ name: 'p', driver: 'dir' }],
      projects: [{ name: 'x' }],
    };
    expect(steps(raw, EMPTY)).toEqual([
      'create project x',
      'create storage pool p',
      'create network br0',
      'create profile default',
      'configure the server',
    ]);
  });

  test('nothing is done when all is as it says', () => {
    const config = { 'limits.cpu': '1' };
    const now = world({ profiles: [present({ name: 'a', config: { ...config, [MARK]: markFor(config) } })] });
    expect(steps({ profiles: [{ name: 'a', config }] }, now)).toEqual([]);
  });

  test('what it once set and no longer has goes, what others set stays', () => {
    const [wanted] = wantedOf(preseed({ profiles: [{ name: 'a', config: { new: 1 }, devices: { eth0: { type: 'none' } } }] }));
    const before: Content = {
      description: 'by hand',
      config: { old: '1', 'user.note': 'by hand', [MARK]: markFor({ old: '1' }, { eth1: {} }) },
      devices: { eth1: { type: 'nic' }, gpu: { type: 'gpu' } },
    };
    const { description, config, devices } = merged(wanted as Wanted, before);
    expect(description).toBe('by hand');
    expect(config).toEqual({ new: '1', 'user.note': 'by hand', [MARK]: markFor({ new: '1' }, { eth0: {} }) });
    expect(devices).toEqual({ gpu: { type: 'gpu' }, eth0: { type: 'none' } });
  });

  test('an object that it no longer has is said, and stays', () => {
    const now = world({ profiles: [present({ name: 'gone', config: { [MARK]: markFor({}) } }), present({ name: 'foreign' })] });
    expect(differenceOf(preseed({}), now)).toMatchObject({ changes: [], leftovers: ['profile gone'] });
  });

  test.each([
    ['announced', 'create storage pool p'],
    ['partly', 'finish storage pool p'],
  ] as const)('one whose making was cut off, %s: %s', (made, step) => {
    const now = world({ storage_pools: [present({ name: 'p', sort: 'dir', made })] });
    expect(steps({ storage_pools: [{ name: 'p', driver: 'dir' }] }, now)).toEqual([step]);
  });

  test('a pool of another driver is a problem, not a change', () => {
    const now = world({ storage_pools: [present({ name: 'p', sort: 'zfs' })] });
    expect(differenceOf(preseed({ storage_pools: [{ name: 'p', driver: 'dir' }] }), now)).toMatchObject({
      changes: [],
      problems: ['storage pool p is zfs, and cannot become dir'],
    });
  });

  test('the same name in two projects is two objects', () => {
    const raw = { profiles: [{ name: 'a' }, { name: 'a', project: 'x' }] };
    const now = world({ profiles: [present({ name: 'a', config: { [MARK]: markFor({}) } })] });
    expect(steps(raw, now)).toEqual(['create profile a of project x']);
  });

  test('what LXD chose for auto is kept', () => {
    const config = { 'ipv4.address': '10.1.2.1/24', [MARK]: markFor({ 'ipv4.address': '' }) };
    const now = world({ networks: [present({ name: 'br0', sort: 'bridge', config })] });
    expect(steps({ networks: [{ name: 'br0', config: { 'ipv4.address': 'auto' } }] }, now)).toEqual([]);
  });

  test("what is each member's own is no part of what all share", () => {
    expect(partOf('storage_pools', { source: '/a', 'rsync.bwlimit': '1' })).toEqual({
      shared: { 'rsync.bwlimit': '1' },
      ofMembers: { source: '/a' },
    });
    const now = world({ storage_pools: [present({ name: 'p', sort: 'dir', config: { [MARK]: markFor({}) } })] });
    expect(steps({ storage_pools: [{ name: 'p', driver: 'dir', config: { source: '/srv/p' } }] }, now)).toEqual([]);
  });

  test('keys of the server that it no longer has are taken away, others stay', () => {
    const now = world({}, { 'images.remote_cache_expiry': '1', 'user.x': 'y', [MARK]: markFor({ 'images.remote_cache_expiry': '1' }) });
    expect(madeOf(preseed({}), now).config).toEqual({ 'user.x': 'y', [MARK]: markFor({}) });
  });

  test('made once, it is made: whatever was there, a second look finds nothing to do', () => {
    const keys = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2', 'x'));
    const profiles = fc.uniqueArray(
      fc.record({ name: fc.constantFrom('p', 'q', 'r'), config: keys, devices: fc.dictionary(fc.constantFrom('e', 'f'), keys) }),
      { selector: ({ name }) => name },
    );
    const all = fc.record({ config: keys, profiles });
    fc.assert(
      fc.property(all, all, fc.array(keys, { maxLength: 2 }), (one, two, foreign) => {
        const [begin, next] = [preseed(one), preseed(two)];
        const made = madeOf(
          next,
          madeOf(begin, world({ profiles: foreign.map((config, at) => present({ name: `p${at || ''}`, config })) })),
        );
        expect(differenceOf(next, made).changes).toEqual([]);
      }),
    );
  });
});

describe('a preseed', () => {
  test.each([
    [{ cluster: { enabled: true } }, /cluster/],
    [{ config: { 'core.https_address': ':8443' } }, /may not set/],
    [{ profiles: [{ name: 'a' }, { name: 'a' }] }, /twice/],
    [{ storage_pools: [{ name: 'a' }] }, /driver/],
  ])('%j is refused', (raw, why) => {
    expect(() => preseed(raw)).toThrow(why);
  });
});
