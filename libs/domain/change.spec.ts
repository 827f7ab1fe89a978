import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { WebspaceChange } from '#libs/contracts/operations.js';
import { exampleRecord } from '../testing/example-record.js';
import { planChange, withCanonicalDomains } from './change.js';
import { recordSchema } from './record.js';

const rules = {
  baseDomain: 'ws.example.org',
  portRange: { from: 49152, to: 65535 },
  limits: { startupDelaySeconds: 60, portForwards: 64, domains: 32 },
};
const tcp = (external: number, internal = 80) => ({ protocol: 'tcp', external, internal }) as const;
const record = exampleRecord({ domains: ['a.example.org'], ports: [tcp(50_000)] });
const plan = (change: WebspaceChange) => planChange(record, change, rules);

describe('a change of the configuration', () => {
  test('leaves what is absent, and takes false and 0 as values', () => {
    const passing = exampleRecord({ http: { port: 8080, startupDelaySeconds: 5, sniPassthrough: true } });
    const { record: after, previous } = planChange(passing, { config: { startupDelaySeconds: 0, sniPassthrough: false } }, rules);
    expect(after([]).http).toEqual({ port: 8080, startupDelaySeconds: 0, sniPassthrough: false });
    expect(previous).toEqual({ httpPort: 8080, startupDelaySeconds: 5, sniPassthrough: true });
  });

  test.each([
    [{ httpPort: 0 }, 'httpPort'],
    [{ httpPort: 65_536 }, 'httpPort'],
    [{ httpPort: 80.5 }, 'httpPort'],
    [{ startupDelaySeconds: -1 }, 'startupDelay'],
    [{ startupDelaySeconds: 60.1 }, 'startupDelay'],
    [{ startupDelaySeconds: Number.NaN }, 'startupDelay'],
  ])('refuses %j, naming %s', (config, field) => {
    const refusal = { code: 'INVALID_INPUT', details: { field, legacyMessage: 'invalid value for configuration option' } };
    expect(() => plan({ config })).toThrow(expect.objectContaining(refusal));
  });

  test.each([{ httpPort: 1 }, { httpPort: 65_535 }, { startupDelaySeconds: 60 }, { startupDelaySeconds: 2.5 }])('takes %j', (config) => {
    expect(plan({ config }).record([])).toEqual(expect.objectContaining({ uid: record.uid }));
  });
});

describe('a change of ports', () => {
  const add = (...ports: { protocol: 'tcp' | 'udp'; external?: number; internal: number }[]) => plan({ ports: { add: ports, remove: [] } });

  test('claims what is named, and leaves a free choice to the claims', () => {
    const { claims } = add(tcp(49_152), { protocol: 'udp', external: 65_535, internal: 53 }, { protocol: 'tcp', internal: 22 });
    expect(claims.map(({ name }) => name)).toEqual(['tcp-49152', 'udp-65535']);
  });

  test('takes tcp and udp of one number for two ports', () => {
    expect(add({ protocol: 'udp', external: 50_000, internal: 53 }).claims).toHaveLength(1);
  });

  test.each([
    ['an external port below the range', tcp(49_151), 'external', 'invalid port'],
    ['an external port 0', tcp(0), 'external', 'invalid port'],
    ['an internal port 0', tcp(50_001, 0), 'internal', 'invalid port'],
    ['an internal port beyond 65535', tcp(50_001, 65_536), 'internal', 'invalid port'],
  ])('refuses %s', (_what, port, field, legacyMessage) => {
    expect(() => add(port)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', details: { field, legacyMessage } }));
  });

  test('refuses one that it has, or that is named twice, as used', () => {
    const used = expect.objectContaining({ code: 'CONFLICT', details: expect.objectContaining({ legacyMessage: 'used by a webspace' }) });
    expect(() => add(tcp(50_000, 81))).toThrow(used);
    expect(() => add(tcp(50_001), tcp(50_001, 81))).toThrow(used);
  });

  test('counts what is removed as free: the limit, and the port itself', () => {
    const full = exampleRecord({ ports: Array.from({ length: 64 }, (_, i) => tcp(50_000 + i)) });
    const beyond = { code: 'INVALID_INPUT', details: expect.objectContaining({ legacyMessage: 'port forward limit reached' }) };
    expect(() => planChange(full, { ports: { add: [tcp(60_000)], remove: [] } }, rules)).toThrow(expect.objectContaining(beyond));
    const { record: after } = planChange(full, { ports: { add: [tcp(50_000, 22)], remove: [tcp(50_000)] } }, rules);
    expect(after([tcp(50_000, 22)]).ports).toHaveLength(64);
  });

  test('refuses to remove what is not there', () => {
    const missing = expect.objectContaining({ code: 'NOT_FOUND' });
    expect(() => plan({ ports: { add: [], remove: [{ protocol: 'udp', external: 50_000 }] } })).toThrow(missing);
    expect(() => plan({ domains: { add: [], remove: ['b.example.org'] } })).toThrow(missing);
  });
});

describe('a change of domains', () => {
  const domains = (add: string[], remove: string[] = []) => ({ domains: { add, remove } });
  const policy = { baseDomain: rules.baseDomain, reservedDomains: ['localhost'] };

  test('claims what is added, and keeps the order', () => {
    const { claims, record: after } = plan(domains(['c.example.com', 'b.example.com']));
    expect(claims.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['domain c.example.com', 'domain b.example.com']);
    expect(after([]).domains).toEqual(['a.example.org', 'c.example.com', 'b.example.com']);
  });

  test('refuses one that it has, or that is named twice, as used', () => {
    const used = expect.objectContaining({ code: 'CONFLICT', details: expect.objectContaining({ legacyMessage: 'used by a webspace' }) });
    expect(() => plan(domains(['a.example.org']))).toThrow(used);
    expect(() => plan(domains(['b.example.com', 'b.example.com']))).toThrow(used);
    expect(plan(domains(['a.example.org'], ['a.example.org'])).record([]).domains).toEqual(['a.example.org']);
  });

  test('refuses to remove the default domain', () => {
    const refusal = { code: 'INVALID_INPUT', details: { field: 'domain', legacyMessage: 'cannot remove the default domain' } };
    expect(() => plan(domains([], ['alice.ws.example.org']))).toThrow(expect.objectContaining(refusal));
  });

  test('counts what is removed as free; a webspace beyond the limit may still give up domains', () => {
    const names = Array.from({ length: 33 }, (_, i) => `d${i}.example.com`);
    const full = exampleRecord({ domains: names.slice(1) });
    const beyond = expect.objectContaining({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('at most 32'),
      details: { field: 'domain' },
    });
    expect(() => planChange(full, domains(['new.example.com']), rules)).toThrow(beyond);
    expect(planChange(full, domains(['new.example.com'], ['d1.example.com']), rules).record([]).domains).toHaveLength(32);
    const over = exampleRecord({ domains: names });
    expect(planChange(over, domains([], ['d0.example.com']), rules).record([]).domains).toHaveLength(32);
    expect(planChange(over, { config: { httpPort: 81 } }, rules).record([]).domains).toHaveLength(33);
  });

  test('is of canonical names, however they are written', () => {
    const written = domains(['WWW.Example.com.', 'bücher.example'], ['A.Example.ORG.']);
    expect(withCanonicalDomains(written, policy)).toEqual(domains(['www.example.com', 'xn--bcher-kva.example'], ['a.example.org']));
    expect(withCanonicalDomains({ config: { httpPort: 81 } }, policy)).toEqual({ config: { httpPort: 81 } });
  });

  test('adds only what a member may bring, and finds nothing under what is no name', () => {
    const refused = expect.objectContaining({ code: 'INVALID_INPUT', details: { field: 'domain' } });
    for (const name of ['x.ws.example.org', 'x.localhost', 'co.uk', '*.example.com', '192.0.2.1', '']) {
      expect(() => withCanonicalDomains(domains([name]), policy)).toThrow(refused);
    }
    expect(() => withCanonicalDomains(domains([], ['*.example.com']), policy)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});

test('whatever is changed, the record stays one that can be read, and unknown fields stay', () => {
  const port = fc.record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    external: fc.integer({ min: 49_152, max: 65_535 }),
    internal: fc.integer({ min: 1, max: 65_535 }),
  });
  const change = fc.record({
    config: fc.record(
      {
        startupDelaySeconds: fc.double({ min: 0, max: 60, noNaN: true }),
        httpPort: fc.integer({ min: 1, max: 65_535 }),
        sniPassthrough: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
    ports: fc.record({
      add: fc.uniqueArray(port, { maxLength: 20, selector: ({ protocol, external }) => `${protocol}${external}` }),
      remove: fc.constant([tcp(50_000)]),
    }),
  });
  fc.assert(
    fc.property(change, (wanted) => {
      const after = planChange({ ...record, colour: 'blue' }, wanted, rules).record(wanted.ports.add);
      expect(recordSchema.parse(JSON.parse(JSON.stringify(after)))).toMatchObject({
        colour: 'blue',
        domains: ['a.example.org'],
        ports: wanted.ports.add,
      });
    }),
  );
});
