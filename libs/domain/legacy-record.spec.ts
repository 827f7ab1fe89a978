import { describe, expect, test } from '@jest/globals';
import { LEGACY_RECORD_KEY, RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { claimKey, claimsOf, holdsOn } from './claims.js';
import { hasRecord, isLegacy, isUnreadable, parseLegacy, parseRecord, recordSchema, uidOf } from './record.js';

const FULL = {
  user: 12,
  config: { startupDelay: 2.5, httpPort: 8080, sniPassthrough: true },
  domains: ['blog.example.com'],
  ports: { '49200': 22 },
};

const instance = (value: unknown, config: Record<string, string> = {}, name = 'ws-u12') => ({
  name,
  created_at: '2021-09-18T12:00:00.123456789+02:00',
  config: {
    [LEGACY_RECORD_KEY]: typeof value === 'string' ? value : JSON.stringify(value),
    'volatile.uuid': '8a0e2c5e-0000-4000-8000-000000000001',
    'volatile.base_image': 'f'.repeat(64),
    ...config,
  },
});
const warningsOf = (value: unknown) => parseLegacy(instance(value)).warnings;

describe("the original's record", () => {
  test('becomes one of ours, without what the original did not write down', () => {
    expect(parseRecord(instance(FULL))).toEqual({
      schema: 1,
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      phase: 'ready',
      createdBy: 'adopted',
      owner: { id: '12' },
      http: { port: 8080, startupDelaySeconds: 2.5, sniPassthrough: true },
      domains: ['blog.example.com'],
      ports: [{ protocol: 'tcp', external: 49200, internal: 22 }],
      network: {},
      policy: { alwaysOn: false },
      image: { fingerprint: 'f'.repeat(64) },
      createdAt: '2021-09-18T10:00:00.123Z',
    });
    expect(warningsOf(FULL)).toEqual([]);
  });

  test('is one that we could have written', () => {
    expect(recordSchema.safeParse(parseRecord(instance(FULL))).success).toBe(true);
  });

  test('gives every reader the same uid, and another instance of the name another', () => {
    expect(uidOf(instance(FULL))).toBe(uidOf(instance({ ...FULL, domains: [] })));
    expect(uidOf(instance(FULL, { 'volatile.uuid': 'another' }))).not.toBe(uidOf(instance(FULL)));
    const old = { name: 'ws-u12', created_at: '2021-01-01T00:00:00Z', config: { [LEGACY_RECORD_KEY]: JSON.stringify(FULL) } };
    expect(uidOf(old)).toBe(uidOf({ ...old }));
    expect(uidOf(old)).not.toBe(uidOf({ ...old, created_at: '2021-01-02T00:00:00Z' }));
  });

  test.each([
    ['null lists, as Go writes empty ones', { user: 12, config: FULL.config, domains: null, ports: null }],
    ['nothing but the user', { user: 12 }],
  ])('is read with %s', (_what, value) => {
    expect(parseRecord(instance(value))).toMatchObject({ domains: [], ports: [], http: { sniPassthrough: expect.any(Boolean) } });
    expect(warningsOf(value)).toEqual([]);
  });

  test.each([
    ['httpPort 0', { config: { ...FULL.config, httpPort: 0 } }, { http: { port: 80 } }, /httpPort 0 .* 80 is used/],
    ['httpPort beyond the ports', { config: { ...FULL.config, httpPort: 65_536 } }, { http: { port: 80 } }, /httpPort 65536/],
    [
      'a delay beyond a minute',
      { config: { ...FULL.config, startupDelay: 600 } },
      { http: { startupDelaySeconds: 60 } },
      /startupDelay 600 .* 60 is used/,
    ],
    ['a negative delay', { config: { ...FULL.config, startupDelay: -1 } }, { http: { startupDelaySeconds: 0 } }, /startupDelay -1/],
    ['a domain in another form', { domains: ['Blog.Example.COM.'] }, { domains: ['blog.example.com'] }, /is written blog\.example\.com/],
    ['a domain that is none', { domains: ['x`) || Path(`/', 'ok.example.com'] }, { domains: ['ok.example.com'] }, /is left out/],
    [
      'a forward to port 0',
      { ports: { '49200': 0, '49201': 80 } },
      { ports: [{ protocol: 'tcp', external: 49201, internal: 80 }] },
      /"49200" to 0/,
    ],
    ['a forward of no port', { ports: { '007': 80 } }, { ports: [] }, /"007"/],
  ])('with %s is read all the same, and says what became of it', (_what, part, expected, warning) => {
    const { record, warnings } = parseLegacy(instance({ ...FULL, ...part }));
    expect(record).toMatchObject(expected);
    expect(warnings).toEqual([expect.stringMatching(warning)]);
  });

  test('names each domain once', () => {
    expect(parseRecord(instance({ ...FULL, domains: ['a.example.com', 'A.example.com'] }))?.domains).toEqual(['a.example.com']);
  });

  test.each([
    ['no JSON', '{', /_webspaced\) cannot be read: it is not JSON/],
    ['no user', { config: FULL.config }, /user/],
    ["another instance's user", { ...FULL, user: 13 }, /user: 13 does not fit the name ws-u12/],
    ['ports that are a list', { ...FULL, ports: [1] }, /ports/],
  ])('with %s cannot be read: the error names the key, the place and the fix', (_what, value, message) => {
    expect(() => parseRecord(instance(value))).toThrow(message);
    expect(() => parseRecord(instance(value))).toThrow(/lxc config edit ws-u12/);
    expect(isUnreadable(instance(value))).toBe(true);
  });

  test('gives way to ours, which it is kept beside', () => {
    const both = instance(FULL, { [RECORD_KEY]: JSON.stringify(exampleRecord()) });
    expect(parseRecord(both)).toEqual(exampleRecord());
    expect([isLegacy(both), hasRecord(both), isLegacy(instance(FULL))]).toEqual([false, true, true]);
  });

  test('an instance with neither is no webspace', () => {
    expect(hasRecord({ config: {} })).toBe(false);
    expect(parseRecord({ name: 'ws-u12', config: {} })).toBeUndefined();
  });
});

describe('the claims of a webspace whose owner nobody knows', () => {
  const record = parseRecord(instance(FULL));
  if (!record) throw new Error('no record');

  test('are its domains and ports, without host name and address', () => {
    expect(claimsOf(record, 'ws.test').map(claimKey)).toEqual(['domain/blog.example.com', 'portForward/tcp-49200']);
  });

  test('may include the host name that it had, so that it is not taken away', () => {
    expect(holdsOn(record, { kind: 'domain', name: 'alice.ws.test' }, 'ws.test')).toBe(true);
    expect(holdsOn(record, { kind: 'domain', name: 'other.example.com' }, 'ws.test')).toBe(false);
    expect(holdsOn({ ...record, owner: { id: '12', username: 'alice' } }, { kind: 'domain', name: 'bob.ws.test' }, 'ws.test')).toBe(false);
  });
});
