import { createPublicKey, randomBytes, verify } from 'node:crypto';
import type { Question } from './reply.js';

/** An App that may ask for installation tokens; its JWTs are verified with the public key (PEM). */
export interface DoubleApp {
  readonly appId: number;
  readonly installationId: number;
  readonly publicKey: string;
  /** How long an installation token lives; GitHub: an hour. */
  readonly tokenLivesMs?: number;
}

const HOUR_MS = 3_600_000;

/** Who may ask what. */
export class Access {
  /** Personal tokens that are good. */
  readonly tokens = new Set<string>();
  /** Those of them that may change no repository with files. */
  readonly readOnly = new Set<string>();
  readonly #private = new Set<string>();
  readonly #issued = new Map<string, number>();
  readonly #app: DoubleApp | undefined;

  constructor(app: DoubleApp | undefined) {
    this.#app = app;
  }

  /** Without a credential the repository does not exist. */
  makePrivate(repository: string): void {
    this.#private.add(repository.toLowerCase());
  }

  /** Ends every installation token at once. */
  revokeInstallationTokens(): void {
    this.#issued.clear();
  }

  /** The token of a question, '' when there is none, undefined when it is not good. */
  identify({ headers }: Question): string | undefined {
    if (headers.authorization === undefined) return '';
    const [, token = ''] = /^(?:token|bearer) (\S+)$/i.exec(headers.authorization) ?? [];
    if (this.tokens.has(token) || (this.#issued.get(token) ?? 0) > Date.now()) return token;
    return undefined;
  }

  maySee(repository: string, identity: string): boolean {
    return identity !== '' || !this.#private.has(repository.toLowerCase());
  }

  /** A new installation token; a status when the question is not the App's. */
  issue(installationId: number, { headers }: Question): { token: string; expiresAt: Date } | 401 | 404 {
    const jwt = /^bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    if (!this.#app || !isSigned(jwt, this.#app)) return 401;
    if (installationId !== this.#app.installationId) return 404;
    const token = `ghs_${randomBytes(18).toString('hex')}`;
    const expiresAt = new Date(Date.now() + (this.#app.tokenLivesMs ?? HOUR_MS));
    this.#issued.set(token, expiresAt.getTime());
    return { token, expiresAt };
  }
}

/** GitHub wants RS256, the App as issuer, and an end within ten minutes. */
function isSigned(jwt: string, app: DoubleApp): boolean {
  const [head = '', claims = '', signature = ''] = jwt.split('.');
  const good = verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), createPublicKey(app.publicKey), Buffer.from(signature, 'base64url'));
  if (!good) return false;
  const { iss, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iss: unknown; exp: number };
  const now = Date.now() / 1000;
  return String(iss) === String(app.appId) && exp > now && exp <= now + 600;
}
