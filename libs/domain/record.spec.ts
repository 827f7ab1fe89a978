import { describe, expect, test } from '@jest/globals';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { isComplete, parseRecord, serialiseRecord, uidOf } from './record.js';

const instance = (config: Record<string, string>) => ({ name: 'ws-u1', config });

describe('the record of a webspace', () => {
  test('comes back as it was written, unknown fields included', () => {
    const record = { ...exampleRecord(), later: { version: 2 } };
    expect(parseRecord(instance({ [RECORD_KEY]: serialiseRecord(record) }))).toEqual(record);
  });

  test('of an instance without the key is none: it is not a webspace', () => {
    expect(parseRecord(instance({}))).toBeUndefined();
    expect(uidOf(instance({}))).toBeUndefined();
  });

  test.each([
    ['not JSON', '{', 'not JSON'],
    ['a missing field', JSON.stringify({ ...exampleRecord(), uid: undefined }), 'uid'],
    ['a port out of range', JSON.stringify({ ...exampleRecord(), http: { ...exampleRecord().http, port: 0 } }), 'http.port'],
    ['a user name that can be no host name', JSON.stringify({ ...exampleRecord(), owner: { id: '1', username: 'a b' } }), 'owner.username'],
    ['a domain that is no host name', JSON.stringify({ ...exampleRecord(), domains: ['x`) || Path(`/'] }), 'domains.0'],
    ['another schema', JSON.stringify({ ...exampleRecord(), schema: 2 }), 'schema'],
  ])('with %s cannot be read: the error names the place and the fix', (_what, text, place) => {
    expect(() => parseRecord(instance({ [RECORD_KEY]: text }))).toThrow(new RegExp(`ws-u1.*${place}.*lxc config edit ws-u1`));
    expect(uidOf(instance({ [RECORD_KEY]: text }))).toBeUndefined();
  });

  test.each([
    [{ 'volatile.apply_template': 'create' }, true],
    [{ 'volatile.last_state.power': 'RUNNING' }, true],
    [{ 'volatile.base_image': 'abc', 'volatile.last_state.idmap': '[]' }, false],
  ])('an instance with %j is complete: %s', (config, complete) => {
    expect(isComplete(instance(config as Record<string, string>))).toBe(complete);
  });
});
