import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

/** Reasons why the process is not ready, by part; empty when it is. */
export type Readiness = () => Readonly<Record<string, string>>;

/** What is not as it should be although the process is ready, by part. */
export type Warnings = () => Readonly<Record<string, string>>;

/** What a process answers at further paths; undefined for one it does not know. */
export type FurtherAnswers = (path: string) => { readonly status: number; readonly body: unknown } | undefined;

/** `/health/live`, `/health/ready` with its reasons and warnings, `/metrics`, and what else the process answers. */
export function startHealthServer(
  listen: { readonly host: string; readonly port: number },
  readiness: Readiness,
  registry: Registry,
  {
    further = () => undefined,
    warnings = () => ({}),
  }: { readonly further?: FurtherAnswers | undefined; readonly warnings?: Warnings } = {},
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (request.url) {
      case '/health/live':
        return json(200, { status: 'live' });
      case '/health/ready': {
        const reasons = readiness();
        const ready = Object.keys(reasons).length === 0;
        return json(ready ? 200 : 503, { status: ready ? 'ready' : 'not ready', reasons, warnings: warnings() });
      }
      case '/metrics':
        return response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
      default: {
        const answer = further(request.url ?? '');
        return answer ? json(answer.status, answer.body) : json(404, { message: 'There is /health/live, /health/ready and /metrics.' });
      }
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => resolve(server));
  });
}
