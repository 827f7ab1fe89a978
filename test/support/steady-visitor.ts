import { http } from '#lab/http.js';

const PAUSE_MS = 100;

export interface Visits {
  readonly answered: number;
  readonly failed: number;
  /** From an answer to the next one. */
  readonly longestGapMs: number;
}

/** Asks a site again and again while something goes on, and notices what a visitor would. */
export async function visitedDuring(url: string, what: () => Promise<void>): Promise<Visits> {
  let over = false;
  const visits = visitUntil(url, () => over);
  try {
    await what();
  } finally {
    over = true;
  }
  return visits;
}

async function visitUntil(url: string, over: () => boolean): Promise<Visits> {
  let [answered, failed, longestGapMs, lastAt] = [0, 0, 0, Date.now()];
  while (!over()) {
    const ok = await http(url, { timeoutMs: 3_000 }).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (ok) {
      answered += 1;
      longestGapMs = Math.max(longestGapMs, Date.now() - lastAt);
      lastAt = Date.now();
    } else failed += 1;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return { answered, failed, longestGapMs };
}
