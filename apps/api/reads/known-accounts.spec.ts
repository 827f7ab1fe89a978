import { expect, test } from '@jest/globals';
import { webspaceNameFor } from '#libs/domain/names.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createLxdStub, instanceOf, recordText } from '../testing/lxd-stub.js';
import { knownAccounts } from './known-accounts.js';

const CAROL = { id: 'auth0|5f7c8ec7c33c6c004bbafe82', username: 'carol' };
const NAME = webspaceNameFor('ws-', CAROL.id);

function known() {
  const lxd = createLxdStub();
  lxd.instances.set('ws-u9', instanceOf('ws-u9', '{'));
  lxd.instances.set(NAME, instanceOf(NAME, recordText(CAROL)));
  return { lxd, accounts: knownAccounts(lxd.client, { instancePrefix: 'ws-', timeoutMs: 500 }) };
}

test('an account is known by the record of its webspace', async () => {
  const { accounts } = known();
  expect(await accounts.byId(CAROL.id)).toEqual({ ...CAROL, isAdmin: false });
  expect(await accounts.byName('carol')).toEqual({ ...CAROL, isAdmin: false });
});

test('one without a webspace, or whose record cannot be read, is not', async () => {
  const { accounts } = known();
  expect(await accounts.byId('9')).toBeUndefined();
  expect(await accounts.byId('10')).toBeUndefined();
  expect(await accounts.byName('dora')).toBeUndefined();
});

test('when LXD is away nobody is said not to exist', async () => {
  const { lxd, accounts } = known();
  lxd.failure = new PlatformError('UNAVAILABLE', 'LXD does not answer.');
  await expect(accounts.byId(CAROL.id)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(accounts.byName('carol')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
