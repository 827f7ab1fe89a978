import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultHost, isWebspaceName, legacyUserNumber, webspaceNameFor } from './names.js';

describe('the name of a webspace', () => {
  test.each([
    ['12', 'ws-u12'],
    ['0', 'ws-u0'],
    ['999999999999999999', 'ws-u999999999999999999'],
  ])('a numeric account id %s is kept', (id, name) => {
    expect(webspaceNameFor('ws-', id)).toBe(name);
  });

  test.each(['012', '-1', '1.5', 'alice', '1234567890123456789', 'auth0|5f7c8ec7c33c6c004bbafe82'])(
    'any other subject (%s) becomes twelve base32 digits',
    (id) => {
      expect(webspaceNameFor('ws-', id)).toMatch(/^ws-x[a-z2-7]{12}$/);
    },
  );

  test('is one of ours by its form, whatever the subject, and the same each time', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (id) => {
        const name = webspaceNameFor('ws-', id);
        expect(isWebspaceName('ws-', name)).toBe(true);
        expect(webspaceNameFor('ws-', id)).toBe(name);
      }),
    );
  });

  test('of two numeric ids are different', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        expect(webspaceNameFor('ws-', String(a)) === webspaceNameFor('ws-', String(b))).toBe(a === b);
      }),
    );
  });

  test.each(['ws-u12-copy', 'ws-12', 'c1', 'ws-u', 'xws-u1', 'ws-u01'])('%s is not one of ours', (name) => {
    expect(isWebspaceName('ws-', name)).toBe(false);
  });
});

describe('the number of an account in v1', () => {
  test('is its id when that is one', () => expect(legacyUserNumber('12')).toBe(12));

  test('is a negative 32-bit integer for any other, never the number of an account that has one', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (id) => {
        fc.pre(!/^\d+$/.test(id));
        const number = legacyUserNumber(id);
        expect(Number.isInteger(number) && number < 0 && number >= -(2 ** 31)).toBe(true);
        expect(legacyUserNumber(id)).toBe(number);
      }),
    );
  });
});

describe('the default host', () => {
  test('is in lower case', () => expect(defaultHost('Alice', 'ws.example.org')).toBe('alice.ws.example.org'));

  test.each(['a.b', 'a_b', '-a', 'a-', '', 'ä', 'x'.repeat(64)])(
    'a user name that is not one DNS label (%s) is refused, naming the field',
    (username) => {
      expect(() => defaultHost(username, 'ws.example.org')).toThrow(
        expect.objectContaining({ code: 'INVALID_INPUT', details: { field: 'username' } }),
      );
    },
  );
});
