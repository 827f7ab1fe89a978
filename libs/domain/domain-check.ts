import type { Condition } from './projection.js';
import { proofProblem, proofVerdict, type TxtAnswer } from './proof.js';

/** Since when a custom domain that a webspace holds is no longer proved; kept in the status of its `Domain`, and begun anew when that is lost. */
export interface Doubt {
  /** ISO 8601 in UTC. */
  readonly since: string;
  readonly reason: string;
  readonly message: string;
}

export interface Judgement {
  /** What the `Domain` is to say from now on. */
  readonly doubt: Doubt | undefined;
  /** Unproved for longer than the grace time, by this very answer. */
  readonly release: boolean;
}

/** Type of the condition of a `Webspace` about the proofs of its custom domains. */
export const DOMAINS_PROVED = 'DomainsProved';

/** What an answer of DNS makes of a domain. No answer changes nothing, whatever was known before. */
export function judge(
  { host, proof, answer, doubt }: { host: string; proof: string; answer: TxtAnswer; doubt: Doubt | undefined },
  { now, graceMs }: { now: number; graceMs: number },
): Judgement {
  switch (proofVerdict(answer, proof)) {
    case 'proved':
      return { doubt: undefined, release: false };
    case 'unknown':
      return { doubt, release: false };
    case 'refuted': {
      const since = doubt?.since ?? new Date(now).toISOString();
      return { doubt: { since, ...proofProblem(host, proof, answer) }, release: now - Date.parse(since) >= graceMs };
    }
  }
}

/** What a `Webspace` is to say of its custom domains; undefined when it need not say anything, for it never said that one was unproved. */
export function domainsCondition(
  doubts: readonly { readonly host: string; readonly doubt: Doubt }[],
  before: Condition | undefined,
  graceMs: number,
): Omit<Condition, 'lastTransitionTime'> | undefined {
  if (doubts.length > 0) {
    const message = doubts.map(
      ({ host, doubt }) => `${host} is released at ${releaseTime(doubt, graceMs)} unless it is proved: ${doubt.message}`,
    );
    return { type: DOMAINS_PROVED, status: 'False', reason: 'ProofMissing', message: message.join('\n') };
  }
  if (before === undefined || before.status === 'True') return undefined;
  return { type: DOMAINS_PROVED, status: 'True', reason: 'Proved', message: 'Every custom domain is proved.' };
}

function releaseTime({ since }: Doubt, graceMs: number): string {
  return new Date(Date.parse(since) + graceMs).toISOString();
}
