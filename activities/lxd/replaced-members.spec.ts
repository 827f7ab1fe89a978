import { expect, test } from '@jest/globals';
import { clusterLockOf, UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Locks } from '../kubernetes/lock.js';
import type { Call } from '../shared/guard.js';
import { ReplacedMembers } from './replaced-members.js';

const { signal } = new AbortController();
const online = (server_name: string) => ({ server_name, status: 'Online' });

/** A cluster whose lock says, at each look, which members are being replaced. */
function clusterWith(...looks: readonly string[]) {
  let look = 0;
  const asked: string[] = [];
  const locks = {
    read: async (name: string) => {
      asked.push(name);
      const replacing = looks[Math.min(look++, looks.length - 1)];
      const annotations = { [UPGRADE_KEYS.replacing]: replacing, [UPGRADE_KEYS.replacingSince]: '2026-01-01T12:00:00.000Z' };
      return { holder: {}, lease: { metadata: { annotations } } };
    },
  } as unknown as Locks;
  const lxd = {
    cluster: { members: async () => [online('lxd-0'), online('lxd-1'), online('lxd-2'), { server_name: 'lxd-3', status: 'Offline' }] },
    instances: { list: async () => ['lxd-0', 'lxd-0', 'lxd-2', 'lxd-1'].map((location) => ({ location })) },
  } as unknown as LxdClient;
  return { members: (cluster?: string) => new ReplacedMembers(lxd, locks, cluster), asked };
}

test('a new instance goes to the emptiest member that serves and is not replaced', async () => {
  const { members, asked } = clusterWith('lxd-1');
  expect(await members('lab').placeForNew(signal)).toBe('lxd-2');
  expect(asked).toEqual([clusterLockOf('lab')]);
});

test('LXD decides while no member is replaced, and nobody is asked where no cluster is', async () => {
  const { members, asked } = clusterWith('');
  expect(await members('lab').placeForNew(signal)).toBeUndefined();
  expect(await members().placeForNew(signal)).toBeUndefined();
  expect(asked).toHaveLength(1);
});

test('while all members are replaced nothing can be made', async () => {
  await expect(clusterWith('lxd-0,lxd-1,lxd-2').members('lab').placeForNew(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a start waits for its own member only, and says for what', async () => {
  const said: (string | undefined)[] = [];
  const call = { signal, waiting: (details: { waitingFor?: string }) => said.push(details.waitingFor) } as unknown as Call;
  const { members, asked } = clusterWith('lxd-1', 'lxd-1', '');
  expect(await members('lab').awaitBack(call, 'lxd-0')).toBe(false);
  expect([asked.length, said.length]).toEqual([1, 0]);
  expect(await members('lab').awaitBack(call, 'lxd-1')).toBe(true);
  expect(said).toEqual(['member lxd-1 of the cluster, which an upgrade is replacing']);
});

test.each([
  ['what runs since before stops with its member', 'lxd-1', '2026-01-01T11:59:59Z', true],
  ['what was started on it since does not', 'lxd-1', '2026-01-01T12:00:01Z', false],
  ['nor does what runs on another', 'lxd-0', '2026-01-01T11:59:59Z', false],
])('%s', async (_what, member, startedAt, stops) => {
  expect(await clusterWith('lxd-1').members('lab').stopsWith(member, startedAt, signal)).toBe(stops);
});
