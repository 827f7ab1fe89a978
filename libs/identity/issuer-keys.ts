import { createLocalJWKSet, errors, type JSONWebKeySet, type LocalJWKSet } from 'jose';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { IdentityHttp } from './http.js';

const discoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url() });
const jwksSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

export interface IssuerKeysOptions {
  readonly http: IdentityHttp;
  /** Exactly as the issuer writes itself, in its metadata and its tokens. */
  readonly issuer: string;
  /** Whether the metadata may name keys at a plain http address. */
  readonly allowHttp: boolean;
  /** After this the keys are read again. */
  readonly freshMs: number;
  /** While the issuer is away, keys are believed this long; then nobody is let in. */
  readonly staleMs: number;
  /** A key that is not known asks the issuer at most this often, whoever sends tokens. */
  readonly cooldownMs: number;
  readonly now: () => number;
}

interface Known {
  readonly keys: LocalJWKSet;
  readonly readAt: number;
}

/**
 * The signing keys of an OpenID Connect issuer, found by its metadata (OpenID Connect Discovery 1.0, section 4: the issuer it names must be the one
 * that was asked). Both are read together, once for any number of callers.
 */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #known: Known | undefined;
  #reading: Promise<Known> | undefined;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /**
   * Runs a verification with the known keys, and once more with keys read anew when it fails for want of a key.
   * @throws PlatformError UNAVAILABLE when the issuer is away and its keys are not known, PROTOCOL when it is not the issuer it should be; else
   * what the verification throws.
   */
  async using<T>(verify: (keys: LocalJWKSet) => Promise<T>): Promise<T> {
    const known = await this.#current();
    try {
      return await verify(known.keys);
    } catch (error) {
      const cooling = this.#options.now() - known.readAt < this.#options.cooldownMs;
      if (!(error instanceof errors.JWKSNoMatchingKey) || cooling) throw error;
      return verify((await this.#read()).keys);
    }
  }

  /** Resolves while tokens can be verified. @throws as {@link using}. */
  async check(): Promise<void> {
    await this.#current();
  }

  async #current(): Promise<Known> {
    const known = this.#known;
    if (!known) return this.#read();
    const age = this.#options.now() - known.readAt;
    if (age < this.#options.freshMs) return known;
    try {
      return await this.#read();
    } catch (error) {
      if (age < this.#options.staleMs) return known;
      throw error;
    }
  }

  #read(): Promise<Known> {
    this.#reading ??= this.#fetch()
      .then((known) => {
        this.#known = known;
        return known;
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  async #fetch(): Promise<Known> {
    const { http, issuer, allowHttp, now } = this.#options;
    const metadata = parse(discoverySchema, await http.get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`), 'metadata');
    if (metadata.issuer !== issuer) {
      throw strange(`its metadata is that of "${metadata.issuer}". Set identity.oidc.issuer to exactly the issuer's own name`);
    }
    if (!allowHttp && !metadata.jwks_uri.startsWith('https:')) throw strange('its keys are not at an https address');
    const jwks = parse(jwksSchema, await http.get(metadata.jwks_uri), 'keys');
    // Of a kind that no allowed algorithm uses (symmetric ones above all) no key is taken.
    const keys = jwks.keys.filter(({ kty }) => kty === 'RSA' || kty === 'EC' || kty === 'OKP');
    return { keys: createLocalJWKSet({ keys } as JSONWebKeySet), readAt: now() };
  }
}

function parse<S extends z.ZodType>(schema: S, { status, body }: { status: number; body: unknown }, what: string): z.output<S> {
  if (status !== 200) throw strange(`it answered ${status} when asked for its ${what}`);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw strange(`its ${what} have an unknown form (${parsed.error.issues[0]?.path.join('.') || 'not JSON'})`);
}

function strange(why: string): PlatformError {
  return new PlatformError('PROTOCOL', `The token issuer cannot be used: ${why}.`);
}
