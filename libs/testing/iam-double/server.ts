import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtVerify, SignJWT } from 'jose';

export interface IamDoubleUser {
  readonly id: number;
  readonly username: string;
  readonly is_admin: boolean;
  readonly ssh_key?: string;
  readonly version: number;
}

export interface IamDouble {
  /** Base URL with version. */
  readonly url: string;
  readonly users: Map<string, IamDoubleUser>;
  /** Requests so far, as `GET /path`. */
  readonly requests: string[];
  /** How it answers: as it should, with a 500, or not at all. */
  mode: 'normal' | 'failing' | 'hanging';
  issue(username: string, options?: { readonly ttlSeconds?: number; readonly key?: string }): Promise<string>;
  close(): Promise<void>;
}

const KEY = 'a key of the identity double, 32+ bytes';

/** An in-process stand-in for the original's identity service: the endpoints this project uses, with their statuses. */
export async function startIamDouble(users: readonly IamDoubleUser[]): Promise<IamDouble> {
  const byName = new Map(users.map((user) => [user.username, user]));
  const requests: string[] = [];
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    if (double.mode === 'hanging') return;
    if (double.mode === 'failing') return send(outgoing, 500, { message: 'internal error' });
    answer(incoming, byName).then(
      ([status, body]) => send(outgoing, status, body),
      () => send(outgoing, 500, { message: 'internal error' }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const double: IamDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    users: byName,
    requests,
    mode: 'normal',
    issue: (username, options) => issue(byName.get(username), options),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return double;
}

async function issue(
  user: IamDoubleUser | undefined,
  { ttlSeconds = 3600, key = KEY }: { ttlSeconds?: number; key?: string } = {},
): Promise<string> {
  if (!user) throw new Error('the identity double does not know this user');
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({ is_admin: user.is_admin, version: user.version })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(String(user.id))
    .setIssuer('netsoc')
    .setAudience(['auth'])
    .setIssuedAt(now - 10)
    .setNotBefore(now - 10)
    .setExpirationTime(now + ttlSeconds)
    .sign(Buffer.from(key));
}

type Result = readonly [status: number, body?: unknown];

async function answer(incoming: IncomingMessage, users: ReadonlyMap<string, IamDoubleUser>): Promise<Result> {
  const name = decodeURIComponent(/^\/v1\/users\/([^/]+)(?:\/token)?$/.exec(incoming.url ?? '')?.[1] ?? '');
  if (incoming.method !== 'GET' || name === '') return [404, { message: 'API endpoint not found' }];
  const token = /^Bearer (.+)$/.exec(incoming.headers.authorization ?? '')?.[1];
  if (!token) return [401, { message: 'token required' }];
  const expiredIsFine = !incoming.url?.endsWith('/token');
  const caller = await verify(token, users, expiredIsFine);
  if (!caller) return [401, { message: 'invalid token' }];
  if (incoming.url?.endsWith('/token')) return name === 'self' ? [204] : [404, { message: 'not found' }];
  if (name === 'self' || name === caller.username) return [200, caller];
  if (!caller.is_admin) return [403, { message: 'only admins can do this' }];
  const found = name.startsWith('id:') ? [...users.values()].find((user) => String(user.id) === name.slice(3)) : users.get(name);
  return found ? [200, found] : [404, { message: 'user not found' }];
}

async function verify(
  token: string,
  users: ReadonlyMap<string, IamDoubleUser>,
  expiredIsFine: boolean,
): Promise<IamDoubleUser | undefined> {
  try {
    const { payload } = await jwtVerify(token, Buffer.from(KEY), {
      audience: 'auth',
      ...(expiredIsFine ? { currentDate: new Date(0), clockTolerance: 2 ** 40 } : {}),
    });
    const user = [...users.values()].find((candidate) => String(candidate.id) === payload.sub);
    return user?.version === payload['version'] ? user : undefined;
  } catch {
    return undefined; // any fault of the token is the same answer
  }
}

function send(outgoing: ServerResponse, status: number, body?: unknown): void {
  outgoing.writeHead(status, body === undefined ? {} : { 'content-type': 'application/json' });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
}
