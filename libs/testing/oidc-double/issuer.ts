import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';

export interface IssueOptions {
  readonly ttlSeconds?: number;
  readonly header?: Partial<JWTHeaderParameters>;
}

/** A stand-in for an OpenID Connect issuer: metadata, keys, and tokens with any claims. */
export interface OidcDouble {
  readonly issuer: string;
  readonly audience: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  /** How it answers: as it should, with a 500, or not at all. */
  mode: 'normal' | 'failing' | 'hanging';
  /** What its metadata say of its name; the issuer itself unless set. */
  calledAs: string | undefined;
  /** Keys shown beside its own. */
  readonly extraKeys: JWK[];
  /** The id of the key that signs now. */
  readonly keyId: string;
  /** Signs with a new key from now on; shows the old one no longer. */
  rotate(algorithm?: string): Promise<void>;
  /** The public key that signs now. */
  publicKey(): JWK;
  /** `undefined` as a claim leaves it out. */
  issue(claims: Readonly<Record<string, unknown>>, options?: IssueOptions): Promise<string>;
  close(): Promise<void>;
}

interface SigningKey {
  readonly id: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** Starts the issuer on loopback; with a certificate over HTTPS. */
export async function startOidcDouble(tls?: { readonly key: string; readonly cert: string }): Promise<OidcDouble> {
  let signing = await newKey(1, 'ES256');
  const requests: string[] = [];
  const answer: RequestListener = (incoming, outgoing) => {
    requests.push(incoming.url ?? '');
    if (double.mode === 'hanging') return;
    const send = (status: number, body: unknown) => {
      outgoing.writeHead(status, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify(body));
    };
    if (double.mode === 'failing') send(500, { error: 'internal error' });
    else if (incoming.url === '/.well-known/openid-configuration')
      send(200, { issuer: double.calledAs ?? double.issuer, jwks_uri: `${double.issuer}/keys` });
    else if (incoming.url === '/keys') send(200, { keys: [signing.jwk, ...double.extraKeys] });
    else send(404, { error: 'not found' });
  };
  const server = tls ? createHttpsServer({ ...tls }, answer) : createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const double: OidcDouble = {
    issuer: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    audience: 'webspaces',
    requests,
    mode: 'normal',
    calledAs: undefined,
    extraKeys: [],
    get keyId() {
      return signing.id;
    },
    async rotate(algorithm = signing.algorithm) {
      signing = await newKey(Number(signing.id.slice(1)) + 1, algorithm);
    },
    publicKey: () => signing.jwk,
    async issue(claims, { ttlSeconds = 3600, header = {} } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const standard = { iss: double.issuer, aud: double.audience, iat: now - 10, nbf: now - 10, exp: now + ttlSeconds };
      const all = Object.entries({ ...standard, ...claims }).filter(([, value]) => value !== undefined);
      return await new SignJWT(Object.fromEntries(all) as JWTPayload)
        .setProtectedHeader({ alg: signing.algorithm, kid: signing.id, ...header })
        .sign(signing.privateKey);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return double;
}

async function newKey(number: number, algorithm: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  const id = `k${number}`;
  return { id, algorithm, privateKey, jwk: { ...(await exportJWK(publicKey)), kid: id, alg: algorithm, use: 'sig' } };
}
