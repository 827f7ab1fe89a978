import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import { ERROR_TABLE } from '#libs/contracts/error-codes.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { Admission } from './admit.js';
import type { Identify } from './identity.js';

const MOST_BYTES = 4_096;
const REQUEST_MS = 30_000;
const question = z.strictObject({ volume: z.string().min(1).max(100) });

export interface JoinServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** LXD's, with cluster.crt and cluster.key. */
  readonly folder: string;
  readonly identify: Identify;
  readonly admit: (member: string, volume: string) => Promise<Admission>;
  readonly log: Logger;
}

/** `POST /join` over HTTPS, by the cluster's certificate: a pod that shows by its token which member it is gets what it needs to join. One at a time. */
export class JoinServer {
  readonly #options: JoinServerOptions;
  #server: Server | undefined;
  #certificate = '';
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: JoinServerOptions) {
    this.#options = options;
  }

  /** Listens, with the certificate that the cluster has now. Safe to call again: it takes a new certificate over. */
  async ensure(): Promise<void> {
    const { folder, listen } = this.#options;
    const [cert, key] = ['cluster.crt', 'cluster.key'].map((name) => readFileSync(join(folder, name), 'utf8')) as [string, string];
    if (this.#server && cert === this.#certificate) return;
    this.#certificate = cert;
    if (this.#server) return this.#server.setSecureContext({ cert, key });
    const server = createServer({ cert, key, requestTimeout: REQUEST_MS }, (request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    try {
      json(200, await this.#admit(request));
    } catch (error) {
      const message = messageOf(error);
      this.#options.log.warn({ error: message, from: request.socket.remoteAddress }, 'a member was not let in');
      json(isPlatformError(error) ? ERROR_TABLE[error.code].httpStatus : 500, { message });
    }
  }

  async #admit(request: IncomingMessage): Promise<Admission> {
    if (request.method !== 'POST' || request.url !== '/join') throw new PlatformError('NOT_FOUND', 'There is POST /join.');
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new PlatformError('UNAUTHORIZED', 'A token of the pod is needed.');
    const asked = question.safeParse(await bodyOf(request));
    if (!asked.success) throw new PlatformError('INVALID_INPUT', 'The body must be {"volume": "<uid>"}.');
    const member = await this.#options.identify(token);
    const next = this.#turn.then(() => this.#options.admit(member, asked.data.volume));
    // The next one's turn comes whatever became of this.
    this.#turn = next.catch(() => undefined);
    return next;
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MOST_BYTES) throw new PlatformError('INVALID_INPUT', 'The body is too long.');
  }
  try {
    return JSON.parse(text);
  } catch {
    // The schema says what it should be.
    return undefined;
  }
}
