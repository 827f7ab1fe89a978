import { createHash, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { GithubConfig } from '#libs/config/github.js';
import { PlatformError } from '#libs/errors/platform-error.js';

export interface Credential {
  /** Undefined: anonymous. */
  readonly token: string | undefined;
  /** Whose answers they are: ETags are good for one token only. Tells nothing of the token. */
  readonly identity: string;
  /** Whose limits count: those of an App outlive its tokens. */
  readonly limitsOf: string;
}

/** An installation token as GitHub gave it. */
export interface InstallationToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

export type AskInstallationToken = (app: { appId: number; installationId: number; privateKey: string }) => Promise<InstallationToken>;

type AppAuth = Extract<GithubConfig['auth'], { kind: 'app' }>;

const RENEW_BEFORE_MS = 300_000;

/** What a client shows GitHub. Files are read at each use, so that a rotated secret is taken up at once. */
export class Credentials {
  readonly #auth: GithubConfig['auth'];
  readonly #ask: AskInstallationToken;
  readonly #now: () => number;
  #installation: Promise<InstallationToken> | undefined;

  constructor(auth: GithubConfig['auth'], ask: AskInstallationToken, now: () => number = Date.now) {
    this.#auth = auth;
    this.#ask = ask;
    this.#now = now;
  }

  /** @throws PlatformError DENIED_UPSTREAM for a file that cannot be used, or what GitHub answers when an installation token is asked for. */
  async current(): Promise<Credential> {
    const auth = this.#auth;
    if (auth.kind === 'none') return { token: undefined, identity: 'anonymous', limitsOf: 'anonymous' };
    if (auth.kind === 'token') {
      const token = await readSecret(auth.tokenFile);
      if (!/^[\x21-\x7e]+$/.test(token)) throw unusable(auth.tokenFile, 'it holds characters that no token has');
      return { token, identity: identityOf(token), limitsOf: identityOf(token) };
    }
    const { token } = await this.#installationToken(auth);
    return { token, identity: identityOf(token), limitsOf: `installation-${auth.installationId}` };
  }

  /** After a 401: an installation token is asked for anew at the next use. */
  refused(): void {
    this.#installation = undefined;
  }

  /** One request for all who wait; a token is renewed five minutes before its end. */
  async #installationToken(auth: AppAuth): Promise<InstallationToken> {
    const before = this.#installation;
    const known = await before?.catch(() => undefined); // told to whoever asked for it; here it is asked for again
    if (known && known.expiresAtMs - RENEW_BEFORE_MS > this.#now()) return known;
    if (this.#installation === before) this.#installation = this.#renew(auth);
    return await (this.#installation ?? this.#renew(auth));
  }

  async #renew({ appId, installationId, privateKeyFile }: AppAuth): Promise<InstallationToken> {
    const privateKey = await readSecret(privateKeyFile);
    if (!isPrivateKey(privateKey)) throw unusable(privateKeyFile, 'it holds no private key in PEM form');
    return await this.#ask({ appId, installationId, privateKey });
  }
}

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === 'private';
  } catch {
    return false; // the reason may quote the file
  }
}

function identityOf(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 16);
}

async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw unusable(path, `it cannot be read (${cause.code ?? 'unknown reason'})`);
  });
  if (text.trim() === '') throw unusable(path, 'it is empty');
  return text.trim();
}

function unusable(path: string, why: string): PlatformError {
  return new PlatformError('DENIED_UPSTREAM', `The credential for GitHub in ${path} cannot be used: ${why}.`, {
    details: { reason: 'credential-file' },
  });
}
