import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent } from 'undici';
import { BASE_DOMAIN } from '#lab/profile.js';
import { waitFor } from '#lab/wait.js';
import type { Member } from './members.js';
import type { Stage } from './stage.js';
import { wallClock } from './statistics.js';

export const VISIT_EVERY_MS = 10;

/** Looks at one site through Traefik over a kept-alive connection. */
export class Visitor {
  readonly #agent: Agent;
  readonly #host: string;
  readonly #origin: string;

  constructor({ lab: { profile, caFile } }: Stage, member: Member) {
    const name = `${member.username}.${BASE_DOMAIN}`;
    this.#host = `${name}:${profile.ports.websecure}`;
    this.#origin = `https://127.0.0.1:${profile.ports.websecure}`;
    this.#agent = new Agent({ connect: { ca: readFileSync(caFile, 'utf8'), servername: name } });
  }

  async answers(): Promise<boolean> {
    const answer = await this.#agent.request({ origin: this.#origin, path: '/', method: 'GET', headers: { host: this.#host } });
    await answer.body.dump();
    return answer.statusCode === 200;
  }

  /** When the site answered for the first time, in milliseconds since 1970. */
  async served(): Promise<number> {
    await waitFor('the site to answer', () => this.answers(), { timeoutMs: 30_000, intervalMs: VISIT_EVERY_MS });
    return wallClock();
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

export interface Watched {
  readonly count: number;
  readonly failed: number;
  readonly longestMs: number;
}

/** Asks again and again until it is ended; an error counts as failed. */
export class Watch {
  readonly #ending = new AbortController();
  readonly #done: Promise<Watched>;

  constructor(ask: () => Promise<boolean>, everyMs: number) {
    this.#done = this.#run(ask, everyMs);
  }

  end(): Promise<Watched> {
    this.#ending.abort();
    return this.#done;
  }

  async #run(ask: () => Promise<boolean>, everyMs: number): Promise<Watched> {
    const seen = { count: 0, failed: 0, longestMs: 0 };
    while (!this.#ending.signal.aborted) {
      const begun = performance.now();
      const good = await ask().catch(() => false);
      seen.count += 1;
      seen.failed += good ? 0 : 1;
      seen.longestMs = Math.max(seen.longestMs, performance.now() - begun);
      await pause(everyMs);
    }
    return seen;
  }
}
