import type { Lab } from '#lab/harness.js';
import type { Member } from './members.js';

/** One visitor: when they came, when they were answered, and what went wrong. */
export interface Visit {
  readonly at: number;
  readonly tookMs: number;
  readonly error?: string;
}

const PATIENCE_MS = 30_000;

/**
 * Visitors who come one after the other at fixed times, however long those before them wait, each over a connection of its own. `enough` is
 * asked before each; gives all visits when the last one was answered.
 */
export async function arrivals(lab: Lab, member: Member, everyMs: number, enough: (come: number) => boolean): Promise<Visit[]> {
  const visits: Promise<Visit>[] = [];
  const begun = Date.now();
  while (!enough(visits.length)) {
    visits.push(visit(lab, member));
    const next = begun + visits.length * everyMs;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
  }
  return Promise.all(visits);
}

async function visit(lab: Lab, { username, webspace }: Member): Promise<Visit> {
  const at = Date.now();
  const error = await lab.visit(username, '/', { timeoutMs: PATIENCE_MS }).then(
    ({ status, body }) => (status === 200 && body.includes(webspace) ? undefined : `${status} ${body.slice(0, 80)}`),
    (reason: unknown) => String(reason),
  );
  return { at, tookMs: Date.now() - at, ...(error === undefined ? {} : { error }) };
}
