import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlatformError } from '#libs/errors/platform-error.js';
import { canonicalDomain, customDomain } from './domain-name.js';
import { recordSchema } from './record.js';

const POLICY = { baseDomain: 'ws.example.org', reservedDomains: ['localhost', 'netsoc.example.org'] };

/** What is wrong with a name, in the words of the error; asserts that it is a 400 that names the field. */
function problemOf(input: string, read: (input: string) => string = (name) => customDomain(name, POLICY)): string {
  try {
    return `accepted as ${read(input)}`;
  } catch (error) {
    expect(error).toBeInstanceOf(PlatformError);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', details: { field: 'domain' } });
    return (error as PlatformError).message;
  }
}

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/).filter((text) => text.slice(2, 4) !== '--');
const hostName = fc
  .array(label, { minLength: 2, maxLength: 6 })
  .map((labels) => labels.join('.'))
  .filter((name) => !/\.0x[0-9a-f]*$/.test(name));

describe('the canonical form of a domain', () => {
  test.each([
    ['www.example.com', 'www.example.com'],
    ['WWW.Example.COM', 'www.example.com'],
    ['www.example.com.', 'www.example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.Example.', 'xn--bcher-kva.example'],
    ['bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['bücher。example', 'xn--bcher-kva.example'],
    ['ＡＢＣ.example', 'abc.example'],
    ['faß.example', 'xn--fa-hia.example'],
    ['a1.b-c.example', 'a1.b-c.example'],
    ['1.example', '1.example'],
  ])('%s is %s', (input, canonical) => {
    expect(canonicalDomain(input)).toBe(canonical);
  });

  test('is itself canonical', () => {
    fc.assert(
      fc.property(fc.oneof(hostName, fc.domain(), fc.string({ unit: 'grapheme', maxLength: 40 })), (input) => {
        let canonical: string;
        try {
          canonical = canonicalDomain(input);
        } catch {
          return; // Not a host name: nothing to say of its form.
        }
        expect(canonicalDomain(canonical)).toBe(canonical);
        expect(canonical).toMatch(/^[a-z0-9.-]{3,253}$/);
        expect(recordSchema.shape.domains.safeParse([canonical]).success).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('does not depend on case and trailing dot', () => {
    fc.assert(
      fc.property(hostName, fc.infiniteStream(fc.boolean()), fc.boolean(), (name, upper, dot) => {
        const written = [...name].map((letter) => (upper.next().value ? letter.toUpperCase() : letter)).join('') + (dot ? '.' : '');
        expect(canonicalDomain(written)).toBe(name);
      }),
    );
  });

  test('of anything else is an error that names the field, and never another one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (input) => {
        expect(problemOf(input, canonicalDomain)).not.toBe('');
      }),
      { numRuns: 2_000 },
    );
  });

  const long = `${'a'.repeat(63)}.`.repeat(3);
  test.each([
    ['', 'empty'],
    ['localhost', 'one label'],
    ['.', 'one label'],
    ['a..example', 'empty label'],
    ['.a.example', 'empty label'],
    ['a.example..', 'empty label'],
    ['-a.example', '"-a"'],
    ['a-.example', '"a-"'],
    [`${'a'.repeat(64)}.example`, 'at most 63'],
    [`${long}${long}example`, 'at most 253'],
    ['x'.repeat(2_000), '2000 characters'],
    ['*.example.com', 'wildcards'],
    ['_acme.example.com', 'underscore'],
    ['a＿b.example', 'may hold letters, digits and inner hyphens only'],
    ['192.0.2.1', 'an address'],
    ['１９２.0.2.1', 'an address'],
    ['0x7f.1', 'an address'],
    ['a.example.1', 'ends in a number'],
    ['[2001:db8::1]', 'scheme and port'],
    ['http://example.com', 'scheme and port'],
    ['example.com:443', 'scheme and port'],
    ['example.com/path', '"/"'],
    ['a%62.example', '"%"'],
    ['a b.example', '" "'],
    ['a@b.example', '"@"'],
    ['a`)||Host(`b.example', '"`"'],
    ['xn--zzzzzz.example', 'international name'],
    ['a\u200d.example', 'international name'],
  ])('%j is refused: %s', (input, why) => {
    expect(problemOf(input, canonicalDomain)).toContain(why);
  });

  test('may have 253 characters and labels of 63', () => {
    const name = `${long}${'b'.repeat(253 - long.length - 2)}.c`;
    expect(name).toHaveLength(253);
    expect(canonicalDomain(`${name}.`)).toBe(name);
  });
});

describe('a custom domain', () => {
  test.each([
    ['ws.example.org', "the platform's own"],
    ['alice.WS.example.org', "the platform's own"],
    ['a.b.ws.example.org.', "the platform's own"],
    ['shop.localhost', 'reserved (localhost'],
    ['netsoc.example.org', 'reserved (netsoc.example.org'],
    ['www.netsoc.example.org', 'reserved (netsoc.example.org'],
    ['co.uk', 'public suffix'],
    ['github.io', 'public suffix'],
    ['個人.hk', 'public suffix'],
    ['anything.ck', 'public suffix'],
  ])('is not %s: %s', (input, why) => {
    expect(problemOf(input)).toContain(why);
  });

  test.each([
    ['example.org', 'above the base domain'],
    ['myws.example.org', 'beside the base domain'],
    ['example.co.uk', 'registered below a public suffix'],
    ['alice.github.io', 'below a suffix that is a company’s'],
    ['www.ck', 'an exception of the list'],
    ['shop.test', 'below a top-level name that the list does not know'],
  ])('may be %s (%s)', (input) => {
    expect(customDomain(input, POLICY)).toBe(input);
  });

  test('never lies within the base domain', () => {
    fc.assert(
      fc.property(hostName, (name) => {
        expect(problemOf(`${name}.${POLICY.baseDomain}`)).toContain("the platform's own");
      }),
    );
  });
});
