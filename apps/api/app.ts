import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { apiModule } from './api.module.js';
import type { ApiDependencies } from './dependencies.js';
import { openApiDocument, serveOpenApi } from './http/openapi.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RouteTable } from './http/route-table.js';
import { createServer } from './http/server.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const EXPOSED = ['x-request-id', 'x-operation-id', 'retry-after'];

/** The whole API, ready to listen. Opens no port and asks nobody anything. */
export async function createApp(dependencies: ApiDependencies): Promise<NestFastifyApplication> {
  const adapter = createServer(dependencies);
  const routes = new RouteTable();
  routes.watch(adapter.getInstance<FastifyInstance>());
  const app = await NestFactory.create<NestFastifyApplication>(apiModule(dependencies), adapter, {
    logger: false,
    abortOnError: false,
    bodyParser: false,
  });
  app.useGlobalFilters(new ProblemFilter(dependencies.logger, routes));
  const { allowedOrigins } = dependencies.config.cors;
  app.enableCors({
    origin: allowedOrigins.includes('*') ? true : [...allowedOrigins],
    credentials: true,
    methods: METHODS,
    exposedHeaders: EXPOSED,
    maxAge: 3600,
  });
  serveOpenApi(app, openApiDocument(app));
  await app.init();
  await adapter.getInstance<FastifyInstance>().ready();
  return app;
}
