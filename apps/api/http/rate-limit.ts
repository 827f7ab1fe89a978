import { createHash } from 'node:crypto';
import rateLimit, { type CreateRateLimitOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiConfig } from '#libs/config/api.js';
import { plain, sendProblem } from './problem.js';

/** Tokens and addresses that are counted at once; beyond that the ones seen longest ago begin anew. */
const COUNTED = 20_000;
/** What probes and scrapers ask for. */
const EXEMPT = /^\/(health|metrics)(\/|\?|$)/;
const CHANGES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

interface Limit {
  readonly of: string;
  readonly max: number;
  readonly applies: (request: FastifyRequest) => boolean;
  readonly key?: (request: FastifyRequest) => string;
}

const hasToken = ({ headers }: FastifyRequest) => headers.authorization !== undefined;
const tokenHash = ({ headers }: FastifyRequest) =>
  createHash('sha256')
    .update(headers.authorization ?? '')
    .digest('base64');

/**
 * Answers 429 with Retry-After to whoever asks too often; counted in this process, before the token is verified, so that guessing tokens counts,
 * too. An address behind trusted proxies is the one they forward.
 */
export async function limitRates(server: FastifyInstance, config: ApiConfig['limits']['rate']): Promise<void> {
  const limits: readonly Limit[] = [
    { of: 'this address', max: config.perAddress, applies: () => true },
    { of: 'this token', max: config.perToken, applies: hasToken, key: tokenHash },
    {
      of: 'changes by this token',
      max: config.changesPerToken,
      applies: (request) => CHANGES.has(request.method) && hasToken(request),
      key: tokenHash,
    },
  ];
  await server.register(rateLimit, { global: false, cache: COUNTED });
  const timeWindow = config.windowSeconds * 1000;
  const counted = limits
    .filter(({ max }) => max > 0)
    .map(({ of, max, applies, key }) => {
      const options: CreateRateLimitOptions = { max, timeWindow, ...(key ? { keyGenerator: key } : {}) };
      return { of, applies, check: server.createRateLimit(options) };
    });
  server.addHook('onRequest', async (request, reply) => {
    if (EXEMPT.test(request.url)) return;
    for (const { of, applies, check } of counted) {
      if (!applies(request)) continue;
      const outcome = await check(request);
      if (outcome.isAllowed || !outcome.isExceeded) continue;
      const seconds = Math.max(1, outcome.ttlInSeconds);
      const text = `Too many requests of ${of}: at most ${outcome.max} in ${config.windowSeconds} s. Try again in ${seconds} s.`;
      return sendProblem(reply, request.id, plain(429, text, { 'retry-after': String(seconds) }));
    }
  });
}
