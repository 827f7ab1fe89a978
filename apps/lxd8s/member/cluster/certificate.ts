import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { fingerprintsOf } from '#libs/lxd/pins.js';

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/**
 * The pair of a mounted Secret. @throws PlatformError INVALID_INPUT for one that does not belong together, is not valid now, or has no DNS name:
 * by that its members know each other, whatever it is, and with none they never find together again (LXD 5.0.2, tried).
 */
export async function readPair(folder: string, now = Date.now()): Promise<Pair> {
  const [certificate, key] = (await Promise.all(['tls.crt', 'tls.key'].map((name) => readFile(join(folder, name), 'utf8')))) as [
    string,
    string,
  ];
  const refuse = (why: string, cause?: unknown) =>
    new PlatformError('INVALID_INPUT', `The certificate in ${folder} cannot be used: ${why}`, { cause });
  let x509: X509Certificate;
  let belongs: boolean;
  try {
    x509 = new X509Certificate(certificate);
    belongs = x509.checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw refuse(messageOf(cause), cause);
  }
  if (!belongs) throw refuse('its key is that of another one');
  if (Date.parse(x509.validTo) < now) throw refuse(`it has expired at ${x509.validTo}`);
  if (Date.parse(x509.validFrom) > now) throw refuse(`it is valid only from ${x509.validFrom}`);
  if (!/\bDNS:/.test(x509.subjectAltName ?? '')) throw refuse('it has no DNS name among its alternative names');
  return { certificate, key };
}

export interface RotationQuestion {
  /** PEM: the one that the cluster shows. */
  readonly present: string;
  /** PEM, of the Secret. */
  readonly wanted: string;
  /** Of the record. */
  readonly announced: string;
  readonly announcedAt: string | undefined;
  readonly announceSeconds: number;
  /** `forming`: nobody can have pinned the present one. */
  readonly cluster: 'forming' | 'formed';
  readonly now: number;
}

/** `announce` puts both into the record, `switch` is due, `wait` says until when. */
export type Rotation = { readonly step: 'none' | 'announce' | 'switch' } | { readonly step: 'wait'; readonly until: number };

/** What is next on the way from the certificate that is shown to the one that is wanted: those who pin it have the new one before it is used. */
export function rotationOf(question: RotationQuestion): Rotation {
  const [present, wanted] = [leafOf(question.present), leafOf(question.wanted)];
  if (present === wanted) return { step: 'none' };
  if (question.cluster === 'forming') return { step: 'switch' };
  const since = Date.parse(question.announcedAt ?? '');
  const announced = fingerprintsOf(question.announced)[1] === wanted && !Number.isNaN(since);
  if (!announced) return { step: 'announce' };
  const until = since + question.announceSeconds * 1000;
  return question.now >= until ? { step: 'switch' } : { step: 'wait', until };
}

/** The first certificate of a PEM text, alone: the one that a server shows as its own. */
export function leafPem(pem: string): string {
  return new X509Certificate(pem).toString();
}

const leafOf = (pem: string): string => new X509Certificate(pem).fingerprint256;
