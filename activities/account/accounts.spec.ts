import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import type { Platform } from '#libs/domain/platform.js';
import { serialiseRecord } from '#libs/domain/record.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo } from '#libs/identity/identity.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { Call } from '../shared/guard.js';
import { Installation } from '../webspace/installation.js';
import { accountSteps } from './accounts.js';

const call = { signal: new AbortController().signal } as Call;
const platform = { baseDomain: 'ws.example.org', instancePrefix: 'ws-' } as Platform;

let kubeDouble: KubernetesDouble;
let lxdDouble: LxdDouble;
let kube: KubernetesClient;
let lxd: LxdClient;
let accounts: Map<string, AccountInfo>;
let asked: string[];
let failure: PlatformError | undefined;
let refused: string[];

beforeEach(async () => {
  [kubeDouble, lxdDouble] = await Promise.all([startKubernetesDouble(), startLxdDouble()]);
  kube = new KubernetesClient({ kubeconfig: kubeDouble.kubeconfig, namespace: 'webspaces' });
  lxd = createLxdClient({ socket: lxdDouble.socket });
  [accounts, asked, failure, refused] = [new Map(), [], undefined, []];
});

afterEach(async () => {
  await Promise.all([kube.close(), lxd.close()]);
  await Promise.all([kubeDouble.close(), lxdDouble.close()]);
});

function steps() {
  const byId = async (id: string) => {
    asked.push(id);
    return accounts.get(id);
  };
  const check = async () => {
    if (failure) throw failure;
  };
  return accountSteps({
    lxd,
    platform,
    installation: new Installation(kube, lxd),
    metrics: { refused: (reason) => refused.push(reason), unreadable: () => undefined, domains: () => undefined },
    accounts: { identity: { directory: { byId, byName: async () => undefined }, check }, membershipSeconds: 3600, graceSeconds: 3600 },
  });
}

function webspace(id: number, { policy = {}, ...changes }: { policy?: object; deletedBy?: string } = {}): void {
  const record = exampleRecord({
    ...changes,
    uid: `uid-${id}`,
    owner: { id: String(id), username: `user${id}` },
    policy: { alwaysOn: false, ...policy },
  });
  lxdDouble.addInstance(`ws-u${id}`, { config: { [RECORD_KEY]: serialiseRecord(record) } });
  accounts.set(String(id), { id: String(id), username: `user${id}`, isAdmin: false, renewedAt: new Date().toISOString() });
}

describe('a look at the accounts of all webspaces', () => {
  test('says what each calls for, and asks twice before it calls one deleted', async () => {
    for (const id of [1, 2, 3, 4]) webspace(id);
    webspace(5, { policy: { suspended: { since: '2026-01-01T00:00:00Z', reason: 'expired', by: 'x' } } });
    accounts.delete('2');
    accounts.set('3', { id: '3', username: 'user3', isAdmin: false, renewedAt: '0001-01-01T00:00:00Z' });
    accounts.set('4', { id: '4', username: 'other', isAdmin: false });
    expect(await steps().checkAccounts(call, undefined)).toEqual({
      checked: 5,
      missing: 1,
      problems: [],
      actions: [
        { action: 'suspend', name: 'ws-u2', owner: '2', reason: 'deleted' },
        { action: 'suspend', name: 'ws-u3', owner: '3', reason: 'expired' },
        { action: 'rename', name: 'ws-u4', owner: '4', username: 'other' },
        { action: 'resume', name: 'ws-u5', owner: '5' },
      ],
    });
    expect(asked.filter((id) => id === '2')).toHaveLength(2);
  });

  test('leaves out what is no webspace, is being deleted, or cannot be read', async () => {
    webspace(1, { deletedBy: 'op' });
    lxdDouble.addInstance('ws-u2', { config: { [RECORD_KEY]: '{' } });
    lxdDouble.addInstance('ws-u3', {});
    lxdDouble.addInstance('other', { config: { [RECORD_KEY]: serialiseRecord(exampleRecord()) } });
    expect(await steps().checkAccounts(call, undefined)).toEqual({ checked: 0, missing: 0, problems: [], actions: [] });
    expect(asked).toEqual([]);
  });

  test('goes by pages', async () => {
    for (let id = 1; id <= 205; id++) webspace(id);
    const first = await steps().checkAccounts(call, undefined);
    if ('refused' in first) throw new Error(first.refused);
    expect(first).toMatchObject({ checked: 200, next: expect.stringMatching(/^ws-u/) });
    expect(await steps().checkAccounts(call, first.next)).toEqual({ checked: 5, missing: 0, problems: [], actions: [] });
  });

  test('believes nothing while the identity service is away or refuses the platform', async () => {
    webspace(1);
    accounts.clear();
    for (const code of ['UNAVAILABLE', 'DENIED_UPSTREAM'] as const) {
      failure = new PlatformError(code, 'on purpose');
      expect(await steps().checkAccounts(call, undefined)).toEqual({ refused: expect.stringContaining('on purpose') });
    }
    expect([asked, refused]).toEqual([[], ['AccountsUnreadable', 'AccountsUnreadable']]);
  });

  test('fails when LXD is away: that is not the identity service', async () => {
    lxdDouble.faults.answer(500, 'on purpose', { match: /GET/ });
    await expect(steps().checkAccounts(call, undefined)).rejects.toMatchObject({ code: expect.any(String) });
    expect(refused).toEqual([]);
  });
});

describe('how much a round does alone', () => {
  const round = (changes: object) => ({ checked: 100, missing: 0, toSuspend: 0, toArchive: 0, ...changes });

  test.each([
    ['nothing', {}, undefined],
    ['five of a hundred', { toSuspend: 5, missing: 5 }, undefined],
    ['six of a hundred', { toSuspend: 6, missing: 6 }, 'TooManyAccounts'],
    ['six archives', { toArchive: 6 }, 'TooManyAccounts'],
    ['2 % of a thousand', { checked: 1000, toSuspend: 20, toArchive: 20 }, undefined],
    ['the only one there is', { checked: 1, missing: 1, toSuspend: 1 }, undefined],
    ['both there are', { checked: 2, missing: 2, toSuspend: 2 }, 'NobodyExists'],
    ['the last of those that all do not exist', { checked: 2, missing: 2, toArchive: 1 }, 'NobodyExists'],
  ])('%s', async (_case, changes, reason) => {
    const refusals = await steps().judgeAccounts(call, round(changes));
    expect([refusals.length, refused]).toEqual(reason ? [1, [reason]] : [0, []]);
  });

  test('an admin says yes once, to no more than that', async () => {
    const approve = (upTo: number) =>
      kube.create('configMap', { metadata: { name: 'account-policy-approved' }, data: { upTo: String(upTo) } });
    await approve(6);
    expect(await steps().judgeAccounts(call, round({ toSuspend: 7 }))).toHaveLength(1);
    expect(await steps().judgeAccounts(call, round({ toSuspend: 6 }))).toEqual([]);
    expect(await steps().judgeAccounts(call, round({ toSuspend: 6 }))).toEqual([expect.stringContaining('--from-literal=upTo=6')]);
  });
});
