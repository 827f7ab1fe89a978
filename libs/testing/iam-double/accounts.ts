import { jwtVerify, SignJWT } from 'jose';

/** An account as a test names it; what it leaves out is ordinary. */
export interface IamDoubleUser {
  readonly id: number;
  readonly username: string;
  readonly email?: string;
  /** `password of <username>` unless given. */
  readonly password?: string;
  readonly first_name?: string;
  readonly last_name?: string;
  readonly ssh_key?: string;
  readonly verified?: boolean;
  /** ISO 8601; now unless given. A login token ends a year after. */
  readonly renewed?: string;
  readonly is_admin?: boolean;
  /** Tokens of any other version are revoked. */
  readonly version?: number;
}

export interface IssueOptions {
  readonly ttlSeconds?: number;
  readonly key?: string;
}

/** Whose token it is, and whether it has ended: some endpoints do not mind. */
export interface Actor {
  readonly user: IamDoubleUser;
  readonly validAdmin: boolean;
}

/** What the original answers instead of doing as asked. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const KEY = 'a key of the identity double, 32+ bytes';
const ISSUER = 'netsoc';
const LOGIN_VALIDITY_SECONDS = 8760 * 3600;
const STARTED = new Date().toISOString();

/** The user as the original shows it: never with its password. */
export function viewOf(user: IamDoubleUser): Record<string, unknown> {
  const { id, username, ssh_key } = user;
  return {
    id,
    username,
    email: user.email ?? `${username}@example.org`,
    first_name: user.first_name ?? 'Some',
    last_name: user.last_name ?? 'Body',
    ...(ssh_key === undefined ? {} : { ssh_key }),
    verified: user.verified ?? true,
    renewed: user.renewed ?? STARTED,
    is_admin: user.is_admin ?? false,
    meta: { created: STARTED, updated: STARTED },
  };
}

export function passwordOf(user: IamDoubleUser): string {
  return user.password ?? `password of ${user.username}`;
}

/** The token that a login gives: it ends with the membership. */
export function loginToken(user: IamDoubleUser): Promise<string> {
  return sign(user, Math.floor(Date.parse(user.renewed ?? STARTED) / 1000) + LOGIN_VALIDITY_SECONDS);
}

export function issueToken(user: IamDoubleUser, { ttlSeconds = 3600, key = KEY }: IssueOptions = {}): Promise<string> {
  return sign(user, Math.floor(Date.now() / 1000) + ttlSeconds, key);
}

async function sign(user: IamDoubleUser, expiresAt: number, key = KEY): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({ is_admin: user.is_admin ?? false, version: user.version ?? 0 })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(String(user.id))
    .setIssuer(ISSUER)
    .setAudience(['auth'])
    .setIssuedAt(now - 10)
    .setNotBefore(now - 10)
    .setExpirationTime(expiresAt)
    .sign(Buffer.from(key));
}

/** @throws Refusal as the original answers a token that is missing, bad, revoked, ended (unless that is fine), or of nobody. */
export async function actorOf(
  header: string | undefined,
  users: ReadonlyMap<string, IamDoubleUser>,
  ended: 'is fine' | 'is refused',
): Promise<Actor> {
  const token = /^Bearer\s+(\S+)$/.exec(header ?? '')?.[1];
  if (token === undefined) throw new Refusal(401, 'token required for this endpoint');
  const { payload } = await jwtVerify(token, Buffer.from(KEY), {
    issuer: ISSUER,
    audience: 'auth',
    algorithms: ['HS256'],
    ...(ended === 'is fine' ? { currentDate: new Date(0), clockTolerance: 2 ** 40 } : {}),
  }).catch((error: unknown) => {
    throw new Refusal(401, error instanceof Error ? error.message : 'bad token');
  });
  const user = [...users.values()].find(({ id }) => String(id) === payload.sub);
  if (!user) throw new Refusal(404, 'failed to fetch user: user not found');
  if ((user.version ?? 0) !== payload['version']) throw new Refusal(401, 'token expired');
  return { user, validAdmin: user.is_admin === true && (payload.exp ?? 0) * 1000 > Date.now() };
}
