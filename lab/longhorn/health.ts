import { createServer } from 'node:http';

const FRESH_MS = 5_000;

/** Answers 200 on `/health` while the last good step is fresh, else 503. */
export async function startHealth(port: number): Promise<{ beat(): void }> {
  let last = 0;
  const server = createServer((_request, response) => {
    response.writeHead(Date.now() - last < FRESH_MS ? 200 : 503).end();
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    beat() {
      last = Date.now();
    },
  };
}
