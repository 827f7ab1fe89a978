import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { judge } from './domain-check.js';
import type { TxtAnswer } from './proof.js';

const PROOF = 'webspace:id:1';
const answer = fc.oneof(
  fc.constantFrom<TxtAnswer>({ is: 'no-such-name' }, { is: 'no-records' }, { is: 'unanswered', why: 'time-out' }),
  fc.array(fc.constantFrom(PROOF, 'other')).map((records): TxtAnswer => ({ is: 'records', records })),
);

describe('a custom domain that is asked for from time to time', () => {
  test('is released by a plain no only, the grace time after the first of a row of noes without a yes', () => {
    const rounds = fc.array(fc.record({ answer, pauseMs: fc.nat(1_000) }), { maxLength: 30 });
    fc.assert(
      fc.property(rounds, fc.nat(3_000), (asked, graceMs) => {
        let now = Date.parse('2026-01-01T00:00:00.000Z');
        let doubt: ReturnType<typeof judge>['doubt'];
        let firstNo: number | undefined;
        for (const round of asked) {
          now += round.pauseMs;
          const is =
            round.answer.is === 'unanswered'
              ? 'silent'
              : round.answer.is === 'records' && round.answer.records.includes(PROOF)
                ? 'yes'
                : 'no';
          firstNo = is === 'yes' ? undefined : is === 'no' ? (firstNo ?? now) : firstNo;
          const judgement = judge({ host: 'a.example', proof: PROOF, answer: round.answer, doubt }, { now, graceMs });
          expect(judgement.release).toBe(is === 'no' && now - (firstNo as number) >= graceMs);
          expect(judgement.doubt?.since).toBe(firstNo === undefined ? undefined : new Date(firstNo).toISOString());
          doubt = judgement.doubt;
        }
      }),
    );
  });
});
