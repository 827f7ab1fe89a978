import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type IamDoubleUser, type IssueOptions, issueToken } from './accounts.js';
import { answerIam } from './routes.js';

export type { IamDoubleUser } from './accounts.js';

export interface IamDouble {
  /** Base URL with version. */
  readonly url: string;
  /** By user name; a test may change them as it likes. */
  readonly users: Map<string, IamDoubleUser>;
  /** Requests so far, as `GET /path`. */
  readonly requests: string[];
  /** How it answers: as it should, with a 500, not at all, or by closing the connection. */
  mode: 'normal' | 'failing' | 'hanging' | 'refusing';
  /** How long it takes for an answer. */
  delayMs: number;
  /** A token of that user, good for an hour unless told otherwise. */
  issue(username: string, options?: IssueOptions): Promise<string>;
  /** Changes an account; a new user name renames it. */
  change(username: string, changes: Partial<IamDoubleUser>): void;
  close(): Promise<void>;
}

/** A stand-in for the original's identity service over HTTP: every endpoint that the platform and the original's CLI use, with their statuses. */
export async function startIamDouble(users: readonly IamDoubleUser[]): Promise<IamDouble> {
  const byName = new Map(users.map((user) => [user.username, user]));
  const requests: string[] = [];
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    if (double.mode === 'hanging') return;
    if (double.mode === 'refusing') return void incoming.socket.destroy();
    if (double.mode === 'failing') return send(outgoing, 500, { message: 'internal error' });
    setTimeout(() => {
      serve(incoming, byName).then(
        ([status, body]) => send(outgoing, status, body),
        () => send(outgoing, 500, { message: 'internal error' }),
      );
    }, double.delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const known = (username: string): IamDoubleUser => {
    const user = byName.get(username);
    if (!user) throw new Error(`the identity double does not know ${username}`);
    return user;
  };
  const double: IamDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    users: byName,
    requests,
    mode: 'normal',
    delayMs: 0,
    issue: async (username, options) => await issueToken(known(username), options),
    change(username, changes) {
      const changed = { ...known(username), ...changes };
      byName.delete(username);
      byName.set(changed.username, changed);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return double;
}

async function serve(incoming: IncomingMessage, users: Map<string, IamDoubleUser>) {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return answerIam(users, {
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    authorization: incoming.headers.authorization,
    body: Buffer.concat(chunks).toString('utf8'),
  });
}

function send(outgoing: ServerResponse, status: number, body?: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  outgoing.writeHead(status, body === undefined ? {} : { 'content-type': type });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
}
