import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './exec.js';
import type { Profile } from './profile.js';

const DAYS = '3650';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The lab's own certificate authority: it signs the API server, its clients and the sites. */
export class CertificateAuthority {
  constructor(private readonly profile: Profile) {}

  async ensure(): Promise<void> {
    const { pki, caFile } = this.profile.paths;
    mkdirSync(pki, { recursive: true, mode: 0o700 });
    if (existsSync(caFile)) return;
    await this.key('ca');
    const subject = `/CN=webspaces lab ${this.profile.name}`;
    await run('openssl', ['req', '-x509', '-new', '-key', this.file('ca.key'), '-subj', subject, '-days', DAYS, '-out', caFile]);
  }

  server(name: string, alternativeNames: readonly string[]): Promise<Certificate> {
    return this.sign(name, `/CN=${name}`, `extendedKeyUsage=serverAuth\nsubjectAltName=${alternativeNames.join(',')}\n`);
  }

  client(name: string, subject: string): Promise<Certificate> {
    return this.sign(name, subject, 'extendedKeyUsage=clientAuth\n');
  }

  /** The key service account tokens are signed with. */
  async serviceAccountKey(): Promise<string> {
    const file = this.file('service-accounts.key');
    if (!existsSync(file)) await run('openssl', ['genrsa', '-out', file, '2048']);
    return file;
  }

  /** Its own certificate and key, for another that signs in its name. */
  itself(): Certificate {
    return { certFile: this.profile.paths.caFile, keyFile: this.file('ca.key') };
  }

  authority(): string {
    return readFileSync(this.profile.paths.caFile, 'utf8');
  }

  private async sign(name: string, subject: string, extensions: string): Promise<Certificate> {
    const certificate = { certFile: this.file(`${name}.crt`), keyFile: this.file(`${name}.key`) };
    const extensionFile = this.file(`${name}.ext`);
    const same = existsSync(extensionFile) && readFileSync(extensionFile, 'utf8') === extensions;
    if (same && existsSync(certificate.certFile)) return certificate;
    await this.key(name);
    const request = await run('openssl', ['req', '-new', '-key', certificate.keyFile, '-subj', subject]);
    writeFileSync(extensionFile, extensions);
    const ca = ['-CA', this.profile.paths.caFile, '-CAkey', this.file('ca.key'), '-CAcreateserial', '-CAserial', this.file(`${name}.srl`)];
    const signed = await run('openssl', ['x509', '-req', ...ca, '-days', DAYS, '-extfile', extensionFile], { input: request });
    writeFileSync(certificate.certFile, signed);
    return certificate;
  }

  private async key(name: string): Promise<void> {
    await run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', this.file(`${name}.key`)]);
  }

  private file(name: string): string {
    return join(this.profile.paths.pki, name);
  }
}
