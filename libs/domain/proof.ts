import { PlatformError } from '#libs/errors/platform-error.js';
import { accountKey } from './names.js';

/** What DNS said of the TXT records of a name; each record whole, its strings joined. */
export type TxtAnswer =
  | { readonly is: 'records'; readonly records: readonly string[] }
  | { readonly is: 'no-such-name' }
  | { readonly is: 'no-records' }
  /** Time-out, SERVFAIL, resolver away: nothing is known. */
  | { readonly is: 'unanswered'; readonly why: string };

export type ProofVerdict = 'proved' | 'refuted' | 'unknown';

const SHOWN_RECORDS = 3;
const SHOWN_CHARACTERS = 80;

/**
 * The TXT record by which an account proves that a name is its own: `webspace:id:<account id>` as in the original, and
 * `webspace:id:x<12 base32 digits>`, the end of its webspace's name, for an account whose id is not a number.
 */
export function proofFor(accountId: string): string {
  return `webspace:id:${accountKey(accountId).replace(/^u/, '')}`;
}

/** Whether an answer proves the name. What was not answered is unknown, not refuted. */
export function proofVerdict(answer: TxtAnswer, proof: string): ProofVerdict {
  if (answer.is === 'unanswered') return 'unknown';
  return answer.is === 'records' && answer.records.includes(proof) ? 'proved' : 'refuted';
}

/** Why an answer does not prove the name, in one sentence, and a word for programs. */
export function proofProblem(host: string, proof: string, answer: TxtAnswer): { readonly reason: string; readonly message: string } {
  const fix = `make a TXT record of exactly "${proof}" at ${host}`;
  switch (answer.is) {
    case 'no-such-name':
      return { reason: 'NoSuchName', message: `DNS has no name ${host} (NXDOMAIN): ${fix}, and try again when DNS shows it.` };
    case 'no-records':
      return { reason: 'NoTxtRecord', message: `${host} has no TXT record: ${fix}, and try again when DNS shows it.` };
    case 'unanswered':
      return {
        reason: 'DnsUnanswered',
        message: `DNS did not tell the TXT records of ${host} (${answer.why}): see that its name servers answer, and try again.`,
      };
    case 'records':
      return {
        reason: 'WrongTxtRecord',
        message: `No TXT record of ${host} is exactly "${proof}"; there ${listed(answer.records)}: ${fix}, and try again when DNS shows it.`,
      };
  }
}

/**
 * The error for a name that is not proved, or undefined when it is. It is the asker's to mend, so INVALID_INPUT also when DNS is silent;
 * `legacyMessage` is the original's text for a wrong record.
 */
export function proofError(host: string, proof: string, answer: TxtAnswer): PlatformError | undefined {
  if (proofVerdict(answer, proof) === 'proved') return undefined;
  const { reason, message } = proofProblem(host, proof, answer);
  return new PlatformError('INVALID_INPUT', `domain: ${message}`, {
    details: { field: 'domain', reason, ...(answer.is === 'records' ? { legacyMessage: 'verification failed' } : {}) },
  });
}

/** The records found, in order, cut to what a message can hold. */
function listed(records: readonly string[]): string {
  const shown = records
    .slice(0, SHOWN_RECORDS)
    .map((record) => JSON.stringify(record.length > SHOWN_CHARACTERS ? `${record.slice(0, SHOWN_CHARACTERS)}…` : record));
  const more = records.length > SHOWN_RECORDS ? ` and ${records.length - SHOWN_RECORDS} more` : '';
  return `${records.length === 1 ? 'is' : 'are'} ${shown.join(', ')}${more}`;
}
