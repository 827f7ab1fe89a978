import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { webspaceNameFor } from './names.js';
import { proofError, proofFor, proofVerdict, type TxtAnswer } from './proof.js';

const HOST = 'shop.example.com';
const PROOF = 'webspace:id:12';
const records = (...found: string[]): TxtAnswer => ({ is: 'records', records: found });

describe('the proof of an account', () => {
  test('is the original’s for a number', () => {
    expect(proofFor('12')).toBe('webspace:id:12');
  });

  test('is the end of the webspace’s name for any other subject', () => {
    const proof = proofFor('auth0|5f7c8ec7c33c6c004bbafe82');
    expect(proof).toMatch(/^webspace:id:x[a-z2-7]{12}$/);
    expect(webspaceNameFor('ws-', 'auth0|5f7c8ec7c33c6c004bbafe82')).toBe(`ws-${proof.slice('webspace:id:'.length)}`);
  });

  test('differs between accounts, and fits one string of a TXT record', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(proofFor(a) === proofFor(b)).toBe(a === b);
        expect(proofFor(a)).toMatch(/^[\x21-\x7e]{1,255}$/);
      }),
    );
  });
});

describe('an answer of DNS', () => {
  test.each<[string, TxtAnswer]>([
    ['alone', records(PROOF)],
    ['among others', records('v=spf1 -all', PROOF, 'webspace:id:13')],
  ])('with the record %s proves the name', (_where, answer) => {
    expect(proofVerdict(answer, PROOF)).toBe('proved');
    expect(proofError(HOST, PROOF, answer)).toBeUndefined();
  });

  test.each<[string, TxtAnswer, string, string]>([
    ['of another account', records('webspace:id:13'), 'WrongTxtRecord', 'there is "webspace:id:13"'],
    ['that begins as the right one', records(`${PROOF}3`), 'WrongTxtRecord', `there is "${PROOF}3"`],
    ['with a blank', records(` ${PROOF}`), 'WrongTxtRecord', `there is " ${PROOF}"`],
    ['in other case', records(PROOF.toUpperCase()), 'WrongTxtRecord', 'WEBSPACE:ID:12'],
    ['of five records', records('a', 'b', 'c', 'd', 'e'), 'WrongTxtRecord', 'there are "a", "b", "c" and 2 more'],
    ['that is NXDOMAIN', { is: 'no-such-name' }, 'NoSuchName', '(NXDOMAIN)'],
    ['without TXT', { is: 'no-records' }, 'NoTxtRecord', 'has no TXT record'],
  ])('%s refutes it, with the record to make', (_what, answer, reason, text) => {
    expect(proofVerdict(answer, PROOF)).toBe('refuted');
    const error = proofError(HOST, PROOF, answer);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', details: { field: 'domain', reason } });
    expect(error?.message).toContain(text);
    expect(error?.message).toContain(`make a TXT record of exactly "${PROOF}" at ${HOST}`);
  });

  test('that does not come leaves it unknown, and is still the asker’s to mend', () => {
    const answer: TxtAnswer = { is: 'unanswered', why: 'no answer within 5 s' };
    expect(proofVerdict(answer, PROOF)).toBe('unknown');
    const error = proofError(HOST, PROOF, answer);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', details: { field: 'domain', reason: 'DnsUnanswered' } });
    expect(error?.message).toContain('no answer within 5 s');
  });

  test('has the original’s text only where the original had it: for a wrong record', () => {
    expect(proofError(HOST, PROOF, records('x'))?.details).toMatchObject({ legacyMessage: 'verification failed' });
    expect(proofError(HOST, PROOF, { is: 'no-records' })?.details).not.toHaveProperty('legacyMessage');
  });

  test('of any size and content is shown in a message that stays short and printable', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 5_000 }), { minLength: 1, maxLength: 50 }), (found) => {
        const message = proofError(HOST, PROOF, records(...found))?.message ?? '';
        expect(message.length).toBeLessThan(2_500);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
        expect(message).not.toMatch(/[\x00-\x1f]/);
      }),
    );
  });
});
