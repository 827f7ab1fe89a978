import { decodeJwt } from 'jose';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import { claimsSchema, unauthorized } from './claims.js';
import { IdentityHttp } from './http.js';
import type { AccountInfo, IdentityAdapter } from './identity.js';

export interface IamConfig {
  /** Base URL with its version, e.g. `https://iam.example.org/v1`. */
  readonly url: string;
  /** The platform's own admin token; asked for each time, so that a new one is used at once. */
  readonly token: () => string;
  readonly timeoutMs: number;
  readonly caFile?: string | undefined;
}

const userSchema = z
  .looseObject({
    id: z.union([z.string().min(1), z.int()]).transform(String),
    username: z.string().min(1),
    ssh_key: z.string().nullish(),
    is_admin: z.boolean().default(false),
    renewed: z.iso.datetime({ offset: true }).optional(),
  })
  .transform(
    (user): AccountInfo => ({
      id: user.id,
      username: user.username,
      isAdmin: user.is_admin,
      ...(user.ssh_key ? { sshKey: user.ssh_key } : {}),
      ...(user.renewed === undefined ? {} : { renewedAt: user.renewed }),
    }),
  );

/**
 * The original's identity service. `GET /users/self/token` (204) tells whether a token is good, unexpired and not revoked; `GET /users/self` whose it
 * is. Look-ups use the platform's own admin token: `GET /users/<name>` and `GET /users/id:<id>`.
 */
export function createIamAdapter(config: IamConfig): IdentityAdapter {
  const http = new IdentityHttp(config);
  const base = config.url.replace(/\/+$/, '');
  const get = (path: string, token: string) => http.get(`${base}${path}`, { authorization: `Bearer ${token}` });

  async function lookUp(path: string): Promise<AccountInfo | undefined> {
    const answer = await get(path, config.token());
    if (answer.status === 200) return parseUser(answer.body);
    if (answer.status === 404) return undefined;
    throw refusedUs(answer.status);
  }

  return {
    async verify(token) {
      const claims = claimsOf(token);
      if (claims.exp * 1000 <= Date.now()) throw unauthorized('it has expired');
      const [valid, self] = await Promise.all([get('/users/self/token', token), get('/users/self', token)]);
      if (valid.status === 401 || valid.status === 403 || valid.status === 404 || valid.status === 400)
        throw unauthorized('it is not valid');
      if (valid.status !== 204 || self.status !== 200) throw unexpected(valid.status === 204 ? self.status : valid.status);
      const account = parseUser(self.body);
      return { account, isAdmin: account.isAdmin && claims.is_admin, expiresAt: claims.exp * 1000 };
    },
    directory: {
      byId: (id) => lookUp(`/users/id:${encodeURIComponent(id)}`),
      byName: (username) => (isSpecial(username) ? Promise.resolve(undefined) : lookUp(`/users/${encodeURIComponent(username)}`)),
    },
    async check() {
      const { status } = await get('/users/self/token', config.token());
      if (status !== 204) throw refusedUs(status);
    },
  };
}

/** Names that would be read as a path of the service rather than as a user. */
function isSpecial(username: string): boolean {
  return username === 'self' || username === '.' || username === '..' || username.startsWith('id:');
}

/** The claims without verification, for the end of the token only; the service verifies. */
function claimsOf(token: string) {
  try {
    return claimsSchema.parse(decodeJwt(token));
  } catch (error) {
    throw unauthorized('it is not valid', error);
  }
}

function parseUser(body: unknown): AccountInfo {
  const parsed = userSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new PlatformError(
    'PROTOCOL',
    `The identity service described an account in an unknown form: ${parsed.error.issues[0]?.path.join('.')}.`,
  );
}

function refusedUs(status: number): PlatformError {
  return new PlatformError(
    'DENIED_UPSTREAM',
    `The identity service refused the platform's own token (${status}): put a valid admin token into its file.`,
  );
}

function unexpected(status: number): PlatformError {
  return new PlatformError('PROTOCOL', `The identity service gave an unexpected answer (${status}).`);
}
