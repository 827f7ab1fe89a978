/** Who calls, as the identity service vouches for them. */
export interface Caller {
  /** Account id, numeric in the original's service. */
  readonly subject: string;
  readonly username: string;
  readonly isAdmin: boolean;
}

export interface AccountInfo {
  readonly id: string;
  readonly username: string;
  readonly isAdmin: boolean;
  readonly sshKey?: string;
  /** When the membership was renewed last, ISO 8601; absent where the identity service knows no memberships. */
  readonly renewedAt?: string;
}

/** Looks accounts up with the platform's own credential; undefined means that there is certainly none. */
export interface Directory {
  byId(id: string): Promise<AccountInfo | undefined>;
  byName(username: string): Promise<AccountInfo | undefined>;
}

export interface Identity {
  /**
   * Verifies a token; a verified one is believed for some seconds, never beyond its own end.
   * @throws PlatformError UNAUTHORIZED for a bad, expired or revoked token, UNAVAILABLE when the identity service cannot be asked.
   */
  authenticate(token: string): Promise<Caller>;
  /**
   * The account that a path names: `self`, a user name, or `id:<account id>` (admins only).
   * @throws PlatformError FORBIDDEN for somebody else's account, NOT_FOUND (admins) when there is none, UNAVAILABLE.
   */
  account(reference: string, caller: Caller): Promise<AccountInfo>;
  /** Absent when the adapter cannot look accounts up by itself. */
  readonly directory?: Directory;
  /** Resolves when the identity service answers. @throws PlatformError UNAVAILABLE, DENIED_UPSTREAM. */
  check(): Promise<void>;
}

/** What an adapter must know how to do; {@link createIdentityFrom} adds caching and the rules of who may name whom. */
export interface IdentityAdapter {
  /** Verifies a token without any cache. `expiresAt` in milliseconds since 1970. */
  verify(token: string): Promise<{ readonly account: AccountInfo; readonly isAdmin: boolean; readonly expiresAt: number }>;
  /** Absent: an admin can name only accounts that the platform knows itself. */
  readonly directory?: Directory;
  check(): Promise<void>;
}
