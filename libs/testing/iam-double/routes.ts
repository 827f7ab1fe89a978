import { type Actor, actorOf, type IamDoubleUser, issueToken, loginToken, passwordOf, Refusal, viewOf } from './accounts.js';

export interface IamRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

export type IamAnswer = readonly [status: number, body?: unknown];

type Users = Map<string, IamDoubleUser>;
type Handler = (users: Users, request: IamRequest, name: string) => Promise<IamAnswer>;

const CHANGEABLE = ['username', 'email', 'password', 'first_name', 'last_name', 'ssh_key'] as const;
const ADMINS_ONLY = ['verified', 'renewed', 'is_admin'] as const;
const RESERVED = ['www', 'self', 'admin'];
const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

const adminRequired = () => new Refusal(403, 'admin token required');
const notFound = () => new Refusal(404, 'failed to fetch user from database: user not found');

const ROUTES: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
  ['GET', /^\/users$/, listUsers],
  ['POST', /^\/users$/, register],
  ['GET', /^\/users\/(self)\/token$/, checkToken],
  ['GET', /^\/users\/id:([^/]+)$/, byId],
  ['GET', /^\/users\/([^/]+)$/, async (users, request, name) => [200, viewOf((await target(users, request, name)).user)]],
  ['PATCH', /^\/users\/([^/]+)$/, change],
  ['DELETE', /^\/users\/([^/]+)$/, remove],
  ['POST', /^\/users\/([^/]+)\/login$/, login],
  ['DELETE', /^\/users\/([^/]+)\/login$/, logout],
  ['POST', /^\/users\/([^/]+)\/token$/, issue],
];

/** Answers one request as the original's identity service does. */
export async function answerIam(users: Users, request: IamRequest): Promise<IamAnswer> {
  const path = request.path.replace(/^\/v1(?=\/)/, '').replace(/\?.*$/, '');
  const route = ROUTES.find(([method, pattern]) => method === request.method && pattern.test(path));
  if (!route) return [404, { message: 'API endpoint not found' }];
  try {
    return await route[2](users, request, decodeURIComponent(route[1].exec(path)?.[1] ?? ''));
  } catch (error) {
    if (error instanceof Refusal) return [error.status, { message: error.message }];
    throw error;
  }
}

/** The account that a path names, if the caller may: the own one also with a token that has ended, any other as an admin. */
async function target(users: Users, { authorization }: IamRequest, name: string): Promise<Actor & { actor: IamDoubleUser }> {
  const { user: actor, validAdmin } = await actorOf(authorization, users, 'is fine');
  if (name === 'self' || name === actor.username) return { user: actor, actor, validAdmin };
  if (!validAdmin) throw adminRequired();
  const user = users.get(name);
  if (!user) throw notFound();
  return { user, actor, validAdmin };
}

async function admin(users: Users, { authorization }: IamRequest): Promise<void> {
  const { user } = await actorOf(authorization, users, 'is refused');
  if (!user.is_admin) throw adminRequired();
}

async function listUsers(users: Users, request: IamRequest): Promise<IamAnswer> {
  await admin(users, request);
  return [200, [...users.values()].map(viewOf)];
}

async function byId(users: Users, request: IamRequest, id: string): Promise<IamAnswer> {
  await admin(users, request);
  const user = [...users.values()].find((candidate) => String(candidate.id) === id);
  if (!user) throw notFound();
  return [200, viewOf(user)];
}

async function checkToken(users: Users, { authorization }: IamRequest): Promise<IamAnswer> {
  await actorOf(authorization, users, 'is refused');
  return [204];
}

async function register(users: Users, request: IamRequest): Promise<IamAnswer> {
  const body = bodyOf(request);
  if (request.authorization !== undefined) await admin(users, request);
  else refuseAdminFields(body);
  const username = textOf(body, 'username');
  assertFree(users, username);
  const id = Math.max(0, ...[...users.values()].map((user) => user.id)) + 1;
  const user = { verified: false, ...body, id, username } as IamDoubleUser;
  users.set(username, user);
  return [201, viewOf(user)];
}

async function change(users: Users, request: IamRequest, name: string): Promise<IamAnswer> {
  const { user, validAdmin } = await target(users, request, name);
  const body = bodyOf(request);
  if (!validAdmin) refuseAdminFields(body);
  const wanted = Object.fromEntries([...CHANGEABLE, ...ADMINS_ONLY].flatMap((key) => (key in body ? [[key, body[key]]] : [])));
  if (wanted['username'] !== undefined && wanted['username'] !== user.username) assertFree(users, String(wanted['username']));
  const revokes = 'password' in wanted || 'email' in wanted || ('is_admin' in wanted && wanted['is_admin'] !== user.is_admin);
  const changed = { ...user, ...wanted, version: (user.version ?? 0) + (revokes ? 1 : 0) } as IamDoubleUser;
  users.delete(user.username);
  users.set(changed.username, changed);
  return [200, viewOf(user)];
}

async function remove(users: Users, request: IamRequest, name: string): Promise<IamAnswer> {
  const { user } = await target(users, request, name);
  users.delete(user.username);
  return [200, viewOf(user)];
}

async function login(users: Users, request: IamRequest, name: string): Promise<IamAnswer> {
  const user = users.get(name);
  if (!user) throw notFound();
  if (user.verified === false) throw new Refusal(401, 'email address is not verified');
  if (textOf(bodyOf(request), 'password') !== passwordOf(user)) throw new Refusal(401, 'incorrect password');
  return [200, { token: await loginToken(user) }];
}

async function logout(users: Users, request: IamRequest, name: string): Promise<IamAnswer> {
  const { user } = await target(users, request, name);
  users.set(user.username, { ...user, version: (user.version ?? 0) + 1 });
  return [204];
}

async function issue(users: Users, request: IamRequest, name: string): Promise<IamAnswer> {
  await admin(users, request);
  const duration = textOf(bodyOf(request), 'duration');
  if (!/^(\d+[hms])+$/.test(duration)) throw new Refusal(400, 'failed to parse duration');
  const ttlSeconds = [...duration.matchAll(/(\d+)([hms])/g)].reduce((sum, [, n, unit]) => sum + Number(n) * (UNITS[unit ?? ''] ?? 0), 0);
  const user = users.get(name);
  if (!user) throw notFound();
  return [200, { token: await issueToken(user, { ttlSeconds }) }];
}

function bodyOf({ body }: IamRequest): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Not JSON: refused below, as any other body that is no object.
  }
  throw new Refusal(400, 'failed to parse request body');
}

function textOf(body: Record<string, unknown>, key: string): string {
  const value = body[key];
  if (typeof value === 'string' && value !== '') return value;
  throw new Refusal(400, `${key} is required`);
}

function refuseAdminFields(body: Record<string, unknown>): void {
  if (ADMINS_ONLY.some((key) => key in body)) throw adminRequired();
  if (RESERVED.includes(String(body['username']))) throw new Refusal(400, 'username is reserved');
}

function assertFree(users: Users, username: string): void {
  if (!/^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(username)) throw new Refusal(400, 'username must be a valid DNS name');
  if (users.has(username)) throw new Refusal(409, 'user already exists');
}
