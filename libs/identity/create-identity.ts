import type { IdentityConfig } from '#libs/config/schemas.js';
import { readSecretFile } from '#libs/config/secret-file.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createIamAdapter } from './iam.js';
import type { AccountInfo, Caller, Identity, IdentityAdapter } from './identity.js';
import { createLocalAdapter } from './local.js';
import { TokenCache } from './token-cache.js';

const MAX_CACHED_TOKENS = 10_000;

interface Verified {
  readonly caller: Caller;
  readonly account: AccountInfo;
  readonly expiresAt: number;
}

/** The identity service that the configuration names. Reads its key and users file, or token file, at once. */
export function createIdentity(config: Readonly<IdentityConfig>): Identity {
  const adapter =
    config.adapter === 'local'
      ? createLocalAdapter(config.local)
      : createIamAdapter({ ...config.iam, token: () => readSecretFile(config.iam.tokenFile) });
  return createIdentityFrom(adapter, { cacheMs: config.cacheSeconds * 1000 });
}

export function createIdentityFrom(adapter: IdentityAdapter, options: { readonly cacheMs: number; readonly now?: () => number }): Identity {
  const now = options.now ?? Date.now;
  const cache = new TokenCache<Verified>({ ttlMs: options.cacheMs, maxEntries: MAX_CACHED_TOKENS, now });
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
      const found = id === undefined ? await adapter.directory?.byName(reference) : await adapter.directory?.byId(id);
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
