import { z } from 'zod';
import { parseMetadata } from './answer.js';
import type { CallOptions } from './client.js';
import type { CertificateScope, LxdCertificate, LxdCertificates } from './client-parts.js';
import type { Connection } from './connection.js';
import { apiPath } from './paths.js';

const certificates: z.ZodType<LxdCertificate[]> = z.array(
  z.looseObject({
    fingerprint: z.string(),
    name: z.string(),
    type: z.string(),
    restricted: z.boolean(),
    projects: z
      .array(z.string())
      .nullish()
      .transform((list) => list ?? []),
  }),
);

const token = z.looseObject({
  secret: z.string(),
  fingerprint: z.string(),
  addresses: z.array(z.string()),
  expiresAt: z.string().exactOptional(),
});

/** The trust store. A cluster's members share it. */
export class Certificates implements LxdCertificates {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async list(options: CallOptions = {}): Promise<LxdCertificate[]> {
    const target = { path: apiPath(['certificates'], { recursion: 1 }), what: 'list trusted certificates' };
    return (await this.#connection.read(target, certificates, options)).value;
  }

  async add({ pem, ...scope }: CertificateScope & { readonly pem: string }, options: CallOptions = {}): Promise<void> {
    // LXD takes the base64 of the DER form: PEM without its first and last line.
    const certificate = pem.replace(/-----[^-]+-----|\s/g, '');
    const body = { ...bodyOf(scope), certificate };
    await this.#connection.change(
      { method: 'POST', path: apiPath(['certificates']), body, what: `trust certificate ${scope.name}` },
      options,
    );
  }

  async delete(fingerprint: string, options: CallOptions = {}): Promise<void> {
    const what = `remove trusted certificate ${fingerprint.slice(0, 12)}`;
    await this.#connection.change({ method: 'DELETE', path: apiPath(['certificates', fingerprint]), what }, options);
  }

  async createToken(scope: CertificateScope, options: CallOptions = {}): Promise<string> {
    const what = `make a trust token for ${scope.name}`;
    const body = { ...bodyOf(scope), token: true };
    const { metadata } = await this.#connection.start({ method: 'POST', path: apiPath(['certificates']), body, what }, options);
    const { secret, fingerprint, addresses, expiresAt } = parseMetadata(metadata, token, what);
    const parts = { client_name: scope.name, fingerprint, addresses, secret, expires_at: expiresAt ?? '0001-01-01T00:00:00Z' };
    return Buffer.from(JSON.stringify(parts)).toString('base64');
  }
}

function bodyOf({ name, projects }: CertificateScope): Record<string, unknown> {
  return { type: 'client', name, ...(projects ? { restricted: true, projects } : {}) };
}
