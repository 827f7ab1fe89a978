import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Identity } from './identity.js';

export interface ContractUser {
  readonly id: number;
  readonly username: string;
  readonly admin: boolean;
  readonly sshKey?: string;
  readonly version: number;
}

/** One adapter ready to be tried: its accounts can be changed, tokens issued, its service taken away. */
export interface ContractSubject {
  readonly identity: Identity;
  issue(username: string, options?: { readonly ttlSeconds?: number; readonly key?: string }): Promise<string>;
  setUsers(users: readonly ContractUser[]): void;
  close(): Promise<void>;
}

export const ALICE: ContractUser = { id: 12, username: 'alice', admin: false, sshKey: 'ssh-ed25519 AAAA alice', version: 1 };
const ROOT: ContractUser = { id: 1, username: 'root', admin: true, version: 0 };

/** What an adapter can do; an issuer of tokens that verify by themselves can neither take one back nor be asked about others. */
export interface ContractTraits {
  readonly revokes: boolean;
  readonly directory: boolean;
}

/** The same cases for every adapter. Tokens are not cached, except where a case says so. */
export function identityContract(
  name: string,
  traits: ContractTraits,
  start: (users: readonly ContractUser[], cacheMs: number) => Promise<ContractSubject>,
): void {
  describe(`the ${name} identity`, () => {
    let subject: ContractSubject;
    const users = [ALICE, ROOT];
    beforeEach(async () => {
      subject = await start(users, 0);
    });
    afterEach(() => subject.close());
    const callerOf = async (username: string) => await subject.identity.authenticate(await subject.issue(username));

    test('knows the caller behind a good token', async () => {
      expect(await callerOf('alice')).toEqual({ subject: '12', username: 'alice', isAdmin: false });
      expect(await callerOf('root')).toEqual({ subject: '1', username: 'root', isAdmin: true });
    });

    test.each([
      ['nonsense', async () => 'nonsense'],
      ['an expired token', () => subject.issue('alice', { ttlSeconds: -5 })],
      ['a token signed with another key', () => subject.issue('alice', { key: 'some other key, also of 32 bytes or more' })],
    ])('refuses %s with UNAUTHORIZED', async (_case, token) => {
      await expect(subject.identity.authenticate(await token())).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    });

    test('refuses an unsigned token', async () => {
      const [, payload] = (await subject.issue('root')).split('.');
      const token = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
      await expect(subject.identity.authenticate(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    });

    test(`${traits.revokes ? 'refuses' : 'cannot know of'} a token that was revoked, and one whose account is gone`, async () => {
      const token = await subject.issue('alice');
      const outcome = () =>
        subject.identity.authenticate(token).then(
          () => 'accepted',
          (error: { code: string }) => error.code,
        );
      const expected = traits.revokes ? 'UNAUTHORIZED' : 'accepted';
      subject.setUsers([{ ...ALICE, version: 2 }, ROOT]);
      expect(await outcome()).toBe(expected);
      subject.setUsers([ROOT]);
      expect(await outcome()).toBe(expected);
    });

    test('lets everybody name their own account, by "self" and by name', async () => {
      const alice = await callerOf('alice');
      const account = { id: '12', username: 'alice', isAdmin: false, sshKey: 'ssh-ed25519 AAAA alice' };
      expect(await subject.identity.account('self', alice)).toMatchObject(account);
      expect(await subject.identity.account('alice', alice)).toMatchObject(account);
    });

    test.each(['root', 'nobody', 'id:1', 'id:12'])('forbids a member to name %s, whether it exists or not', async (reference) => {
      await expect(subject.identity.account(reference, await callerOf('alice'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    });

    test('lets an admin name anybody by name and by id', async () => {
      const root = await callerOf('root');
      expect(await subject.identity.account('alice', root)).toMatchObject({ id: '12', username: 'alice' });
      expect(await subject.identity.account('id:12', root)).toMatchObject({ id: '12', username: 'alice' });
    });

    test.each(['nobody', 'id:999', '../users', 'id:../self', 'a/b'])('tells an admin that %s does not exist', async (reference) => {
      await expect(subject.identity.account(reference, await callerOf('root'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test(`${traits.directory ? 'looks accounts up in its' : 'says that it has no'} directory`, async () => {
      expect(subject.identity.directory === undefined).toBe(!traits.directory);
      if (!traits.directory) return;
      expect(await subject.identity.directory?.byId('12')).toMatchObject({ username: 'alice' });
      expect(await subject.identity.directory?.byName('root')).toMatchObject({ id: '1' });
      expect(await subject.identity.directory?.byId('999')).toBeUndefined();
    });

    test('is well', async () => {
      await expect(subject.identity.check()).resolves.toBeUndefined();
    });

    test('believes a verified token for a while, but never beyond its end', async () => {
      await subject.close();
      subject = await start(users, 60_000);
      const lasting = await subject.issue('alice');
      const ending = await subject.issue('alice', { ttlSeconds: 1 });
      await subject.identity.authenticate(lasting);
      await subject.identity.authenticate(ending).catch(() => undefined);
      subject.setUsers([ROOT]);
      await expect(subject.identity.authenticate(lasting)).resolves.toMatchObject({ username: 'alice' });
      const deadline = Date.now() + 3000;
      let refused = false;
      while (!refused && Date.now() < deadline) {
        refused = await subject.identity.authenticate(ending).then(
          () => new Promise<boolean>((resolve) => setTimeout(resolve, 50, false)),
          () => true,
        );
      }
      expect(refused).toBe(true);
    });
  });
}
