import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SAMPLE_USERS, type SampleUser } from '#lab/apps.js';
import { type HttpAnswer, http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { Report } from './report.js';
import type { Stage } from './stage.js';

const USERS: readonly SampleUser[] = ['alice', 'bob'];
/** An answer takes this long; the API dies somewhere in it. */
const WITHIN_MS = 500;

/** The API dies while members wait for their answers; the repeat with the same Idempotency-Key joins the operation. */
export async function apiDies(stage: Stage, report: Report): Promise<void> {
  await round(stage, report, { method: 'POST', body: { image: 'hello' }, status: 201, expected: 'whole' });
  await round(stage, report, { method: 'DELETE', status: 204, expected: 'nothing' });
}

interface Wish {
  readonly method: 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly status: number;
  readonly expected: 'whole' | 'nothing';
}

async function round(stage: Stage, report: Report, wish: Wish): Promise<void> {
  const keys = USERS.map((user) => ({ user, key: randomUUID() }));
  const answers = keys.map(({ user, key }) => send(stage, user, wish, key).catch((error: Error) => error));
  await sleep(stage.random.upTo(WITHIN_MS));
  await stage.lab.process('api').kill('SIGKILL');
  const since = Date.now();
  await Promise.all(answers);
  await stage.lab.process('api').start();
  for (const { user, key } of keys) {
    const answer = await answered(stage, user, wish, key);
    const repeated = await answered(stage, user, wish, key);
    const name = `ws-u${SAMPLE_USERS[user].id}`;
    const verdict = await stage.worlds.verdict(name, 30_000);
    const right = answer.status === wish.status && repeated.status === wish.status && verdict.is === wish.expected;
    const said = `answered ${answer.status}, then ${repeated.status}: ${answer.body.slice(0, 200)}; ${verdict.is} ${verdict.problems.join('; ')}`;
    report.add({
      row: `API dies while ${wish.method} waits`,
      name,
      outcome: { is: 'completed', result: answer.status },
      verdict,
      wrong: right ? undefined : said,
      recoveryMs: Date.now() - since,
    });
  }
}

function send(stage: Stage, user: SampleUser, { method, body }: Wish, key: string): Promise<HttpAnswer> {
  const headers = { authorization: `Bearer ${stage.lab.tokenFor(user)}`, 'idempotency-key': key };
  const url = `${stage.lab.profile.urls.api}/v1/webspace/self`;
  return http(url, { method, headers, timeoutMs: 90_000, ...(body === undefined ? {} : { body }) });
}

/** 503 asks to try again. */
function answered(stage: Stage, user: SampleUser, wish: Wish, key: string): Promise<HttpAnswer> {
  return waitFor(
    `an answer to ${wish.method}`,
    async () => {
      const answer = await send(stage, user, wish, key);
      return answer.status === 503 ? undefined : answer;
    },
    { timeoutMs: 60_000, intervalMs: 300 },
  );
}
