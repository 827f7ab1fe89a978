import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { memoryKeyOf } from '#libs/domain/memory.js';
import { serialiseRecord } from '#libs/domain/record.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { memorySteps } from './memory.js';

let double: LxdDouble;
let lxd: LxdClient;
let uses: Record<string, readonly [number, number]> | undefined;

async function start(config: Readonly<Record<string, string>>): Promise<void> {
  double = await startLxdDouble({ config });
  lxd = createLxdClient({ socket: double.socket });
}
beforeEach(() => {
  uses = undefined;
});
afterEach(async () => {
  await lxd.close();
  await double.close();
});

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const short = (...members: readonly string[]) => Object.fromEntries(members.map((member) => [memoryKeyOf(member), ago(5)]));

function webspace(id: number, location: string, { started = 100, config = {}, alwaysOn = false, status = 'Running' as const } = {}): void {
  const record = exampleRecord({ owner: { id: String(id), username: `u${id}` }, policy: { alwaysOn } });
  const added = double.addInstance(`ws-u${id}`, {
    status,
    location,
    config: { [RECORD_KEY]: serialiseRecord(record), 'volatile.last_state.power': 'RUNNING', ...config },
  });
  added.lastUsedAt = ago(started);
}

const find = (enabled = true) => {
  const kube = { find: async () => (uses ? { data: { use: JSON.stringify(uses) } } : undefined) };
  const deps = { lxd, kube, platform: { instancePrefix: 'ws-' }, memoryStop: { enabled } } as unknown as Deps;
  return memorySteps(deps).findShortOfMemory({ signal: new AbortController().signal } as Call);
};

describe('79: members whose memory is short', () => {
  test('on such a member the webspace is found that was not used for the longest time, and none of another member', async () => {
    await start(short('lxd-1'));
    webspace(1, 'lxd-0', { started: 9_000 });
    webspace(2, 'lxd-1', { started: 500 });
    webspace(3, 'lxd-1', { started: 800 });
    expect(await find()).toEqual([{ member: 'lxd-1', webspace: { name: 'ws-u3', owner: '3', idleSeconds: expect.any(Number) } }]);
  });

  test('real use counts, where it is known, and not the start', async () => {
    await start(short('lxd-1'));
    webspace(2, 'lxd-1', { started: 500 });
    webspace(3, 'lxd-1', { started: 800 });
    uses = { 'ws-u3': [1, Date.now() - 1_000] };
    expect(await find()).toMatchObject([{ webspace: { name: 'ws-u2' } }]);
  });

  test('what is spared, by its owner or as in the original, is left alone, and so is what is no webspace', async () => {
    await start(short('lxd-1'));
    webspace(1, 'lxd-1', { started: 900, config: { 'user.oomSkip': 'true' } });
    webspace(2, 'lxd-1', { started: 900, alwaysOn: true });
    double.addInstance('database', { status: 'Running', location: 'lxd-1', lastUsedAt: ago(900) });
    expect(await find()).toEqual([{ member: 'lxd-1' }]);
    webspace(4, 'lxd-1', { started: 1 });
    expect(await find()).toMatchObject([{ webspace: { name: 'ws-u4' } }]);
  });

  test('a member that has said so long ago is not short of anything', async () => {
    await start({ [memoryKeyOf('lxd-1')]: ago(600) });
    webspace(1, 'lxd-1');
    expect(await find()).toEqual([]);
  });

  test('instances are listed only when a member is short of memory', async () => {
    await start({});
    expect(await find()).toEqual([]);
    expect(double.requests).toEqual(['GET /1.0']);
  });

  test('nothing is looked for when it is off', async () => {
    await start(short('lxd-1'));
    await expect(find(false)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
