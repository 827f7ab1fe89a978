import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { apiModule } from './api.module.js';
import type { ApiDependencies } from './dependencies.js';
import { corsOptions, SECURITY_HEADERS } from './http/browsers.js';
import { openApiDocument, serveOpenApi } from './http/openapi.js';
import { ProblemFilter } from './http/problem.filter.js';
import { limitRates } from './http/rate-limit.js';
import { RouteTable } from './http/route-table.js';
import { createServer } from './http/server.js';
import { serveUpgrades } from './streams/upgrades.js';

/** The whole API, ready to listen. Opens no port and asks nobody anything. */
export async function createApp(dependencies: ApiDependencies, routes = new RouteTable()): Promise<NestFastifyApplication> {
  const adapter = createServer(dependencies);
  await limitRates(adapter.getInstance<FastifyInstance>(), dependencies.config.limits.rate);
  serveUpgrades(adapter.getInstance<FastifyInstance>());
  routes.watch(adapter.getInstance<FastifyInstance>());
  const app = await NestFactory.create<NestFastifyApplication>(apiModule(dependencies), adapter, {
    logger: false,
    abortOnError: false,
    bodyParser: false,
  });
  app.useGlobalFilters(new ProblemFilter(dependencies.logger, routes));
  app.enableCors(corsOptions(dependencies.config.cors.allowedOrigins));
  app.useSecurityHeaders(SECURITY_HEADERS);
  serveOpenApi(app, openApiDocument(app));
  await app.init();
  await adapter.getInstance<FastifyInstance>().ready();
  return app;
}
