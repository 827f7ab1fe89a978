import type { IdentityConfig } from '#libs/config/identity.js';
import { readSecretFile } from '#libs/config/secret-file.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { createIamAdapter } from './iam.js';
import type { AccountInfo, Caller, Directory, Identity, IdentityAdapter } from './identity.js';
import { createLocalAdapter } from './local.js';
import { createOidcAdapter } from './oidc.js';
import { TokenCache } from './token-cache.js';

const MAX_CACHED_TOKENS = 10_000;

interface Verified {
  readonly caller: Caller;
  readonly account: AccountInfo;
  readonly expiresAt: number;
}

export interface IdentityOptions {
  readonly cacheMs: number;
  readonly refusedMs?: number;
  /** Where the accounts named by an admin are looked up when the adapter has no directory: those that the platform knows itself. */
  readonly known?: Directory;
  readonly now?: () => number;
}

/**
 * The identity service that the configuration names. Reads its key and users file, or token file, at once; an OpenID Connect issuer is asked when
 * the first token comes.
 */
export function createIdentity(config: IdentityConfig, known?: Directory): Identity {
  return createIdentityFrom(createAdapter(config), {
    cacheMs: config.cacheSeconds * 1000,
    refusedMs: config.refusedSeconds * 1000,
    ...(known ? { known } : {}),
  });
}

function createAdapter(config: IdentityConfig): IdentityAdapter {
  switch (config.adapter) {
    case 'local':
      return createLocalAdapter(config.local);
    case 'iam':
      return createIamAdapter({ ...config.iam, token: () => readSecretFile(config.iam.tokenFile) });
    case 'oidc':
      return createOidcAdapter(config.oidc);
  }
}

export function createIdentityFrom(adapter: IdentityAdapter, options: IdentityOptions): Identity {
  const now = options.now ?? Date.now;
  const cache = new TokenCache<Verified>({
    ttlMs: options.cacheMs,
    refusalTtlMs: options.refusedMs ?? 0,
    isRefusal: (error) => isPlatformError(error, 'UNAUTHORIZED'),
    maxEntries: MAX_CACHED_TOKENS,
    now,
  });
  const directory = adapter.directory ?? options.known;
  const own = new WeakMap<Caller, AccountInfo>();

  async function verify(token: string): Promise<Verified> {
    const { account, isAdmin, expiresAt } = await adapter.verify(token);
    const caller: Caller = Object.freeze({ subject: account.id, username: account.username, isAdmin });
    own.set(caller, account);
    return { caller, account, expiresAt };
  }

  return {
    async authenticate(token) {
      return (await cache.get(token, verify)).caller;
    },

    async account(reference, caller) {
      if (reference === 'self' || reference === caller.username) return own.get(caller) ?? accountOf(caller);
      if (!caller.isAdmin) throw new PlatformError('FORBIDDEN', 'You may only use your own account here: name it "self".');
      const id = /^id:(.+)$/.exec(reference)?.[1];
      const found = id === undefined ? await directory?.byName(reference) : await directory?.byId(id);
      if (!found) throw new PlatformError('NOT_FOUND', `There is no account "${reference}".`, { details: { field: 'user' } });
      return found;
    },

    ...(adapter.directory ? { directory: adapter.directory } : {}),
    check: () => adapter.check(),
  };
}

function accountOf(caller: Caller): AccountInfo {
  return { id: caller.subject, username: caller.username, isAdmin: caller.isAdmin };
}
