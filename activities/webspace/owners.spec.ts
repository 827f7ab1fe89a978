import { describe, expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { Owners } from './owners.js';

const nameless = { ...exampleRecord(), owner: { id: '12' } };

function subject(byId: (id: string) => Promise<string | undefined>) {
  let now = 0;
  const asked: string[] = [];
  const directory = {
    byId: async (id: string) => {
      asked.push(id);
      const username = await byId(id);
      return username === undefined ? undefined : { id, username, isAdmin: false };
    },
  };
  const owners = new Owners(directory, { warn: () => undefined }, () => now);
  return { owners, asked, pass: (ms: number) => (now += ms), nameNow: async () => (await owners.named(nameless)).owner.username };
}

describe('the owner of a record without a user name', () => {
  test('is asked for once in a while', async () => {
    const { asked, nameNow, pass } = subject(async () => 'alice');
    expect([await nameNow(), await nameNow()]).toEqual(['alice', 'alice']);
    expect(asked).toEqual(['12']);
    pass(301_000);
    await nameNow();
    expect(asked).toHaveLength(2);
  });

  test('is not asked for where the record names one', async () => {
    const { owners, asked } = subject(async () => 'mallory');
    expect(await owners.named(exampleRecord())).toEqual(exampleRecord());
    expect(asked).toEqual([]);
  });

  test.each([undefined, 'a.b', 'under_score'])(
    'is unknown while the service says %s, and found soon after it says a name',
    async (first) => {
      let username: string | undefined = first;
      const { nameNow, pass } = subject(async () => username);
      expect(await nameNow()).toBeUndefined();
      username = 'alice';
      pass(11_000);
      expect(await nameNow()).toBe('alice');
    },
  );

  test('stays who it was while the service is away', async () => {
    let away = false;
    const { nameNow, pass } = subject(async () => {
      if (away) throw new PlatformError('UNAVAILABLE', 'away');
      return 'alice';
    });
    await nameNow();
    away = true;
    pass(301_000);
    expect(await nameNow()).toBe('alice');
  });

  test('is unknown without a directory', async () => {
    const owners = new Owners(undefined, { warn: () => undefined });
    expect(await owners.named(nameless)).toEqual(nameless);
  });
});
