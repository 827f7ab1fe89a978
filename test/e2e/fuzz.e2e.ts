import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { Agent, request } from 'undici';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { type Answer, ApiDocument, type Document } from '../support/api-document.js';
import { FULL, openSession, report, type Session } from '../support/lab-session.js';
import { inTurns } from '../support/members.js';
import { type Route, requestsFor, type WildRequest } from '../support/random-requests.js';

const SEED = Number(process.env['WEBSPACES_SEED'] ?? Date.now() % 2 ** 31);
const PER_ROUTE = FULL ? 400 : 25;
const BUDGET_MS = FULL ? 20 * 60_000 : 25_000;
const LANES = 6;
const ANSWER_MS = 75_000;
/** An answer that has not ended by then is one that goes on, as events do. */
const STREAM_MS = 500;

let session: Session;
let api: ApiDocument;
let agent: Agent;

beforeAll(async () => {
  session = await openSession();
  agent = new Agent({ connections: LANES * 2 });
  api = new ApiDocument((await http(`${session.lab.profile.urls.api}/openapi.json`)).json<Document>());
}, 180_000);
afterAll(async () => {
  await agent?.destroy();
  // The requests of an admin may have made one for the admin, who is not among the tests' members.
  const away = async () => (await session.lab.api('admin', 'DELETE', '/v1/webspace/self')).status === 404;
  if (session) await waitFor("the admin's webspace to be away", away, { timeoutMs: 60_000 });
  await session?.close();
}, 120_000);

interface Case {
  readonly route: Route;
  readonly request: WildRequest;
  readonly who: string;
}

async function send({ method, path, headers, body }: WildRequest, token: string): Promise<Answer> {
  const {
    statusCode,
    headers: given,
    body: stream,
  } = await request(`${session.lab.profile.urls.api}${path}`, {
    method: method as 'GET',
    headers: { ...headers, ...(token ? { authorization: token } : {}) },
    dispatcher: agent,
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
    ...(body === undefined ? {} : { body }),
  });
  const contentType = String(given['content-type'] ?? '');
  const chunks: Buffer[] = [];
  let ended = true;
  const timer = setTimeout(() => {
    ended = false;
    stream.destroy();
  }, STREAM_MS);
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } catch (error) {
    if (ended) throw error;
  } finally {
    clearTimeout(timer);
  }
  return { status: statusCode, contentType, text: ended ? Buffer.concat(chunks).toString('utf8') : undefined };
}

/** Tokens by the name of who sends them. */
function tokens(): Readonly<Record<string, string>> {
  const bearer = (id: number, isAdmin = false) => `Bearer ${session.lab.tokenFor({ id, isAdmin })}`;
  return {
    member: bearer(1001),
    other: bearer(1002),
    admin: bearer(3, true),
    expired: `Bearer ${session.lab.tokenFor({ id: 1001 }, { ttlSeconds: -60 })}`,
    nobody: '',
    nonsense: 'Bearer nonsense',
    basic: 'Basic YTpi',
  };
}

const WHO = fc.oneof(
  { weight: 6, arbitrary: fc.constant('member') },
  { weight: 3, arbitrary: fc.constant('admin') },
  { weight: 1, arbitrary: fc.constantFrom('other', 'expired', 'nobody', 'nonsense', 'basic') },
);

/** The routes in turns, each with requests of its own, the same for the same seed. */
function cases(values: Readonly<Record<string, readonly unknown[]>>): Case[] {
  const hints = { values, components: api.document.components.schemas };
  const perRoute = api.routes().map((route, at) => {
    const pairs = fc.tuple(requestsFor(route, hints), WHO);
    return fc.sample(pairs, { seed: SEED + at, numRuns: PER_ROUTE }).map(([wild, who]) => ({ route, request: wild, who }));
  });
  return Array.from({ length: PER_ROUTE }, (_, round) => perRoute.flatMap((each) => each[round] ?? [])).flat();
}

describe('the API under requests made from its own document (row 34)', () => {
  it('has a valid document', async () => {
    expect(await new Validator().validate({ ...api.document })).toEqual({ valid: true });
  });

  it(
    'answers whatever comes with a documented status and form, and never with 500',
    async () => {
      const { members } = session;
      const [member, other] = [members.one(0), members.one(1)];
      await members.running(member);
      const listed = await session.lab.api('admin', 'GET', '/v2/operations?limit=20');
      const values = {
        user: ['self', member.username, `id:${member.id}`, other.username, 'id:999999', 'nobody'],
        name: [member.webspace, other.webspace, 'ws-u999999'],
        webspace: [member.webspace, other.webspace],
        owner: [`id:${member.id}`, other.username],
        id: listed.json<{ operations: { id: string }[] }>().operations.map(({ id }) => id),
        image: ['hello', 'no-such-image'],
      };
      const token = tokens();
      const all = cases(values);
      const complaints: string[] = [];
      const seen = new Map<string, number>();
      const until = Date.now() + BUDGET_MS;
      let sent = 0;
      await inTurns(all, LANES, async ({ route, request: wild, who }) => {
        if (Date.now() > until || complaints.length >= 10) return;
        const answer = await send(wild, token[who] as string);
        sent++;
        seen.set(`${route.method} ${route.path}`, (seen.get(`${route.method} ${route.path}`) ?? 0) + 1);
        const complaint = api.complaintAbout(route, answer);
        if (complaint)
          complaints.push(
            `${wild.method} ${wild.path} ${JSON.stringify(wild.body)} by ${who}: ${answer.status}, ${complaint}: ${answer.text?.slice(0, 300)}`,
          );
      });
      report(`requests over ${seen.size} routes, seed ${SEED}`, String(sent));
      expect(complaints).toEqual([]);
      expect(seen.size).toBe(api.routes().length);
      expect(Math.min(...seen.values())).toBeGreaterThanOrEqual(FULL ? 100 : 3);
    },
    BUDGET_MS + 240_000,
  );

  it('answers methods that a path does not have with 405 and those it has', async () => {
    const { admin } = tokens();
    const paths = Object.entries(api.document.paths).filter(([path]) => !path.startsWith('/health'));
    for (const [path, operations] of paths) {
      const has = Object.keys(operations).map((method) => method.toUpperCase());
      const missing = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => !has.includes(method));
      for (const method of missing) {
        const url = path.replace(/\{\w+\}/g, '1');
        const answer = await send({ method, path: url, headers: {}, body: undefined }, admin as string);
        expect([method, url, answer.status]).toEqual([method, url, 405]);
        expect(JSON.parse(answer.text ?? '')).toMatchObject({ message: 'method not allowed on API endpoint' });
      }
    }
  }, 60_000);
});
