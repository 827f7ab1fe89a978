import { X509Certificate } from 'node:crypto';

/** Fingerprints (SHA-256) of all certificates of a PEM text, in its order. Throws for one that cannot be read. */
export function fingerprintsOf(pem: string): string[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one).fingerprint256,
  );
}
