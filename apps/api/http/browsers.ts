import type { SecurityHeadersOptions } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { plain, sendProblem } from './problem.js';

type CorsOptions = NonNullable<Parameters<NestFastifyApplication['enableCors']>[0]>;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const EXPOSED = ['X-Request-Id', 'X-Operation-Id', 'Retry-After', 'ETag'];
const PREFLIGHT_SECONDS = 3600;

/** Pages of the origins listed may call, with any header; `*` lets any page, without cookies, which the API does not use. */
export function corsOptions(allowedOrigins: readonly string[]): CorsOptions {
  const anyone = allowedOrigins.includes('*');
  return {
    origin: anyone ? '*' : (origin, answer) => answer(null, origin !== undefined && allowedOrigins.includes(origin)),
    credentials: !anyone,
    methods: METHODS,
    exposedHeaders: EXPOSED,
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  };
}

/** A preflight that comes as far as this was not answered as allowed. */
export function refusePreflights(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return done();
    sendProblem(reply, request.id, plain(403, 'Pages of this origin may not call; an operator allows them by cors.allowedOrigins.'));
  });
}

/** For the answers of the API, and for Swagger UI, its only page. */
export const SECURITY_HEADERS: SecurityHeadersOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': "'none'",
      'connect-src': "'self'",
      'script-src': "'self'",
      // Swagger UI sets styles from its script, and holds its icons as data.
      'style-src': ["'self'", "'unsafe-inline'"],
      'img-src': ["'self'", 'data:'],
      'font-src': ["'self'", 'data:'],
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
    },
  },
  strictTransportSecurity: { includeSubDomains: false },
  xFrameOptions: { action: 'deny' },
};
